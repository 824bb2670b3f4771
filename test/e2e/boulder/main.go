// Runs timelines of issuances through Let's Encrypt's own limiter, so that what certkeep computes can be held against it.
//
// Reads one JSON document on standard input: {"timelines": [...], "names": [...]}; writes one on standard
// output. The limiter keeps its buckets in memory and is driven by a clock that the timeline sets; its
// decisions have no exported fields, so they are read by reflection (reading only: nothing is reached around).
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jmhodges/clock"
	"github.com/letsencrypt/boulder/config"
	"github.com/letsencrypt/boulder/identifier"
	blog "github.com/letsencrypt/boulder/log"
	"github.com/letsencrypt/boulder/ratelimits"
	"github.com/prometheus/client_golang/prometheus"
)

// ns is an instant or a span in nanoseconds, a string in JSON: JavaScript's numbers don't hold it.
type ns int64

func (n ns) MarshalJSON() ([]byte, error) {
	return json.Marshal(strconv.FormatInt(int64(n), 10))
}

func (n *ns) UnmarshalJSON(text []byte) error {
	value, err := strconv.ParseInt(strings.Trim(string(text), `"`), 10, 64)
	*n = ns(value)
	return err
}

type timeline struct {
	Count    int64 `json:"count"`
	Burst    int64 `json:"burst"`
	PeriodNs ns    `json:"periodNs"`
	Spends   []ns  `json:"spends"`
	Asks     []ns  `json:"asks"`
}

type answer struct {
	At        ns    `json:"at"`
	Allowed   bool  `json:"allowed"`
	Remaining int64 `json:"remaining"`
	RetryInNs ns    `json:"retryInNs"`
	Tat       *ns   `json:"tat"`
}

type input struct {
	Timelines []timeline `json:"timelines"`
	Names     []string   `json:"names"`
	Sets      [][]string `json:"sets"`
}

type output struct {
	Timelines [][]answer        `json:"timelines"`
	Domains   map[string]string `json:"domains"`
	Sets      []string          `json:"sets"`
}

func must[T any](value T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return value
}

func builder(t timeline) *ratelimits.TransactionBuilder {
	limit := &ratelimits.LimitConfig{Count: t.Count, Burst: t.Burst, Period: config.Duration{Duration: time.Duration(t.PeriodNs)}}
	configs := ratelimits.LimitConfigs{"CertificatesPerFQDNSet": limit, "CertificatesPerDomain": limit}
	return must(ratelimits.NewTransactionBuilder(configs, nil, prometheus.NewRegistry(), blog.NewMock()))
}

func key(txn ratelimits.Transaction) string {
	return reflect.ValueOf(txn).FieldByName("bucketKey").String()
}

func run(t timeline) []answer {
	ctx := context.Background()
	clk := clock.NewFake()
	source := ratelimits.NewInmemSource()
	limiter := must(ratelimits.NewLimiter(clk, source, prometheus.NewRegistry()))
	spend := must(builder(t).CertificatesPerFQDNSetSpendOnlyTransaction(identifier.NewDNSSlice([]string{"a.example"})))

	spends := slices.Clone(t.Spends)
	slices.Sort(spends)
	asks := slices.Clone(t.Asks)
	slices.Sort(asks)
	answers := []answer{}
	ask := func(at ns) {
		clk.Set(time.Unix(0, int64(at)).UTC())
		decision := reflect.ValueOf(must(limiter.Check(ctx, spend))).Elem()
		a := answer{At: at, Allowed: decision.FieldByName("allowed").Bool(), Remaining: decision.FieldByName("remaining").Int()}
		if a.Allowed {
			// The decision tells what would be left after the spend that it allows.
			a.Remaining++
		} else {
			a.RetryInNs = ns(decision.FieldByName("retryIn").Int())
		}
		if tat, err := source.Get(ctx, key(spend)); err == nil {
			stored := ns(tat.UnixNano())
			a.Tat = &stored
		}
		answers = append(answers, a)
	}
	for _, at := range asks {
		for len(spends) > 0 && spends[0] <= at {
			clk.Set(time.Unix(0, int64(spends[0])).UTC())
			must(limiter.Spend(ctx, spend))
			spends = spends[1:]
		}
		ask(at)
	}
	return answers
}

func main() {
	var in input
	if err := json.NewDecoder(os.Stdin).Decode(&in); err != nil {
		fmt.Fprintln(os.Stderr, "standard input:", err)
		os.Exit(2)
	}
	out := output{Timelines: [][]answer{}, Domains: map[string]string{}, Sets: []string{}}
	for _, t := range in.Timelines {
		out.Timelines = append(out.Timelines, run(t))
	}
	b := builder(timeline{Count: 50, Burst: 50, PeriodNs: ns(168 * time.Hour)})
	for _, name := range in.Names {
		txns, err := b.CertificatesPerDomainSpendOnlyTransactions(1, identifier.FromStringSlice([]string{name}))
		if err != nil {
			out.Domains[name] = "error: " + err.Error()
			continue
		}
		_, domain, _ := strings.Cut(key(txns[0]), ":")
		out.Domains[name] = domain
	}
	for _, names := range in.Sets {
		txn := must(b.CertificatesPerFQDNSetSpendOnlyTransaction(identifier.NewDNSSlice(names)))
		_, hash, _ := strings.Cut(key(txn), ":")
		out.Sets = append(out.Sets, hash)
	}
	must(0, json.NewEncoder(os.Stdout).Encode(out))
}
