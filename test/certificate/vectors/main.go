// Command vectors makes test vectors for the judge and has Go itself decide them: tls.X509KeyPair, then
// x509.ParseCertificate of every further block, then Certificate.Verify with the given roots, name and time.
//
//	go run . > ../vectors.json        the catalogue, the same every time
//	go run . -fuzz 20000 -seed 1      mutants, one JSON document a line
package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// Case is a pair with its anchors, and the names and instants to ask about.
type Case struct {
	name  string
	cert  [][]byte
	key   [][]byte
	roots [][]byte
	names []string
	at    []time.Time
}

// answer is Go's: whether it holds, and if not what it says.
func answer(cert, key, roots []byte, name string, at time.Time) error {
	if len(cert) == 0 || len(key) == 0 {
		return fmt.Errorf("empty field")
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return err
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return err
	}
	intermediates := x509.NewCertPool()
	for _, der := range pair.Certificate[1:] {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return fmt.Errorf("further block: %w", err)
		}
		intermediates.AddCert(c)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(roots)
	_, err = leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: pool, Intermediates: intermediates, CurrentTime: at})
	return err
}

// boundaries are the instants around the bounds of whatever parses in the case.
func boundaries(cert, roots []byte) []time.Time {
	var out []time.Time
	for _, text := range [][]byte{cert, roots} {
		for {
			var block *pem.Block
			block, text = pem.Decode(text)
			if block == nil {
				break
			}
			c, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				continue
			}
			out = append(out, c.NotBefore.Add(-time.Millisecond), c.NotBefore, c.NotAfter, c.NotAfter.Add(time.Millisecond), c.NotAfter.Add(999*time.Millisecond))
		}
	}
	return out
}

// jsonCase is a case in vectors.json: cert, key and roots are lists of blobs to be joined; a check is a name and
// the instants asked about with it, each with + where Go accepts the pair and - where it doesn't.
type jsonCase struct {
	Name   string      `json:"name"`
	Cert   []int       `json:"cert"`
	Key    []int       `json:"key"`
	Roots  []int       `json:"roots"`
	Checks [][2]string `json:"checks"`
	Error  string      `json:"error,omitempty"`
}

// table gives every distinct value a number.
type table struct {
	index map[string]int
	list  []string
}

func (t *table) put(s string) int {
	id, ok := t.index[s]
	if !ok {
		if t.index == nil {
			t.index = map[string]int{}
		}
		id = len(t.list)
		t.index[s] = id
		t.list = append(t.list, s)
	}
	return id
}

// blobText is LABEL:base64 for a PEM block as Go writes it, =text for ASCII, else !base64.
func blobText(b []byte) string {
	if p, rest := pem.Decode(b); p != nil && len(rest) == 0 && len(p.Headers) == 0 && !strings.Contains(p.Type, ":") && bytes.Equal(pem.EncodeToMemory(p), b) {
		return p.Type + ":" + base64.StdEncoding.EncodeToString(p.Bytes)
	}
	for _, c := range b {
		if c > 0x7e || c < 0x20 && c != '\n' {
			return "!" + base64.StdEncoding.EncodeToString(b)
		}
	}
	return "=" + string(b)
}

func (c Case) checks() (checks [][3]any, message string) {
	cert, key, roots := cat(c.cert...), cat(c.key...), cat(c.roots...)
	names := c.names
	if names == nil {
		names = []string{""}
	}
	seen := map[string]bool{}
	for _, at := range append(append([]time.Time{}, c.at...), boundaries(cert, roots)...) {
		for i, name := range names {
			if i > 0 && !at.Equal(c.at[0]) {
				continue
			}
			text := at.UTC().Format(time.RFC3339Nano)
			if at.UTC().Year() < 0 || at.UTC().Year() > 9999 || seen[name+"\x00"+text] || at.IsZero() {
				continue
			}
			seen[name+"\x00"+text] = true
			err := answer(cert, key, roots, name, at)
			valid := 1
			if err != nil {
				valid = 0
				if message == "" {
					message = err.Error()
				}
			}
			checks = append(checks, [3]any{name, text, valid})
		}
	}
	return checks, message
}

func main() {
	fuzz := flag.Int("fuzz", 0, "number of mutants to write instead of the catalogue")
	seed := flag.Int64("seed", 1, "seed of the mutants")
	flag.Parse()
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()

	if *fuzz > 0 {
		enc := json.NewEncoder(out)
		for _, c := range mutants(*fuzz, *seed) {
			checks, message := c.checks()
			b64 := base64.StdEncoding.EncodeToString
			enc.Encode(map[string]any{"name": c.name, "cert": b64(cat(c.cert...)), "key": b64(cat(c.key...)), "roots": b64(cat(c.roots...)), "checks": checks, "error": message})
		}
		return
	}

	var blobs, instants table
	put := func(parts [][]byte) []int {
		ids := []int{}
		for _, p := range parts {
			ids = append(ids, blobs.put(blobText(p)))
		}
		return ids
	}
	var cases []jsonCase
	names := map[string]bool{}
	for _, c := range append(catalogue(), chosenMutants()...) {
		if names[c.name] {
			panic("two cases called " + c.name)
		}
		names[c.name] = true
		checks, message := c.checks()
		j := jsonCase{Name: c.name, Cert: put(c.cert), Key: put(c.key), Roots: put(c.roots), Error: message}
		if len(j.Error) > 100 {
			j.Error = j.Error[:100]
		}
		j.Error = strings.ToValidUTF8(j.Error, "?")
		at := map[string]int{}
		for _, check := range checks {
			name := check[0].(string)
			if _, ok := at[name]; !ok {
				at[name] = len(j.Checks)
				j.Checks = append(j.Checks, [2]string{name})
			}
			sign := "-"
			if check[2].(int) == 1 {
				sign = "+"
			}
			j.Checks[at[name]][1] += fmt.Sprint(instants.put(check[1].(string)), sign)
		}
		cases = append(cases, j)
	}
	out.WriteString("{\"go\":\"" + runtime.Version() + "\",\n\"blobs\":[\n")
	writeList(out, blobs.list)
	out.WriteString("],\n\"instants\":[\n")
	writeList(out, instants.list)
	out.WriteString("],\n\"cases\":[\n")
	writeList(out, cases)
	out.WriteString("]}\n")
}

func writeList[T any](out *bufio.Writer, list []T) {
	for i, item := range list {
		line, err := json.Marshal(item)
		if err != nil {
			panic(err)
		}
		out.Write(line)
		if i < len(list)-1 {
			out.WriteByte(',')
		}
		out.WriteByte('\n')
	}
}
