package main

import (
	"fmt"
	"math/rand"
	"strings"
	"time"
)

// Random names, constraints, times, policies and graphs of authorities, mostly on the edge of what is allowed.

func pick[T any](r *rand.Rand, list ...T) T { return list[r.Intn(len(list))] }

func randomText(r *rand.Rand, alphabet string, most int) string {
	out := make([]byte, r.Intn(most+1))
	for i := range out {
		out[i] = alphabet[r.Intn(len(alphabet))]
	}
	return string(out)
}

var labels = []string{"a", "b", "a-b", "A", "x1", "_", "*", "-", "", "ex", "EX", "a b", "z", "a!"}

func randomDomain(r *rand.Rand) string {
	var parts []string
	for range r.Intn(4) {
		parts = append(parts, pick(r, labels...))
	}
	parts = append(parts, pick(r, "test", "test", "TEST", "b", "", "test."))
	s := strings.Join(parts, ".")
	if r.Intn(6) == 0 {
		s = "." + s
	}
	return s
}

func randomHost(r *rand.Rand) string {
	switch r.Intn(8) {
	case 0:
		return randomIPText(r)
	case 1:
		return "[" + randomIPText(r) + "]"
	default:
		return randomDomain(r)
	}
}

func randomIPText(r *rand.Rand) string {
	switch r.Intn(3) {
	case 0:
		return fmt.Sprint(r.Intn(3), ".", r.Intn(3), ".", pick(r, "0", "00", "1", "256", ""), ".", r.Intn(3))
	case 1:
		return randomText(r, ":::12f0.%e", 12)
	default:
		var parts []string
		for range 1 + r.Intn(9) {
			parts = append(parts, pick(r, "0", "1", "", "ffff", "1234", "0000", "10000", "1.2.3.4"))
		}
		return strings.Join(parts, ":")
	}
}

func randomURI(r *rand.Rand) string {
	return pick(r, "http", "https", "ftp", "urn", "", "a+b", "1a") + pick(r, "://", ":", "//", ":///", "") + pick(r, "", "", "u@", "u:p@", "u%41@", "u[@") +
		pick(r, randomDomain(r), randomHost(r), randomText(r, "a.b%41[]:<>\"{}_-~!@", 8)) + pick(r, "", "", ":80", ":", ":x", ":1:2") + pick(r, "", "/", "/%41", "/%4", "?x=%", "#%zz", "/a b", "#f")
}

func randomEmail(r *rand.Rand) string {
	return pick(r, "a", "A", "", "\"a b\"", "a.b", ".a", "a..b", "a\\@", "\"", randomText(r, "a.\\\"@ !\x01\x7f", 5)) + pick(r, "@", "@", "@", "") + randomDomain(r)
}

func randomIP(r *rand.Rand) []byte {
	n := pick(r, 4, 4, 16, 16, 5)
	b := make([]byte, n)
	for i := range b {
		b[i] = pick[byte](r, 0, 1, 192, 255)
	}
	if n == 16 && r.Intn(2) == 0 {
		copy(b, []byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255})
	}
	return b
}

func randomNetwork(r *rand.Rand) []byte {
	n := pick(r, 4, 4, 16, 16, 3)
	b := make([]byte, 2*n)
	for i := range n {
		b[i] = pick[byte](r, 0, 1, 192, 255)
	}
	if n == 16 && r.Intn(2) == 0 {
		copy(b, []byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255})
	}
	ones := r.Intn(8*n + 1)
	for i := range ones {
		b[n+i/8] |= 0x80 >> (i % 8)
	}
	return b
}

func randomName(r *rand.Rand, constraint bool) []byte {
	switch r.Intn(10) {
	case 0:
		if constraint {
			return ip(randomNetwork(r)...)
		}
		return ip(randomIP(r)...)
	case 1, 2:
		return email(pick(r, randomEmail(r), randomDomain(r)))
	case 3, 4:
		if constraint {
			return uri(randomDomain(r))
		}
		return uri(randomURI(r))
	case 5:
		if r.Intn(4) == 0 {
			return tlv(pick[byte](r, 0x88, 0xa4, 0xa0), []byte{5, 0})
		}
		fallthrough
	default:
		return dns(randomDomain(r))
	}
}

func randomNames(r *rand.Rand, constraint bool, most int) (out [][]byte) {
	for range r.Intn(most + 1) {
		out = append(out, randomName(r, constraint))
	}
	return out
}

var usages = [][]byte{ekuAny, ekuServer, ekuServer, ekuClient, ekuOdd, ekuEmail, ekuSGC}

func randomUsage(r *rand.Rand) []byte {
	var list [][]byte
	for range 1 + r.Intn(2) {
		list = append(list, pick(r, usages...))
	}
	return extEKU(list...)
}

func randomTime(r *rand.Rand) []byte {
	t := noon.Add(time.Duration(r.Intn(200)-100) * 24 * time.Hour)
	tag := pick[byte](r, 0x17, 0x17, 0x18)
	s := t.Format(pick(r, "060102150405Z", "060102150405Z0700", "0601021504Z", "20060102150405Z", "20060102150405.000Z", "060102150405-0130", "20060102150405+0900", "060102150405+2400", "0601021504-0059"))
	if r.Intn(3) == 0 {
		b := []byte(s)
		b[r.Intn(len(b))] = "0123456789Z+-.: "[r.Intn(16)]
		s = string(b)
	}
	return str(tag, s)
}

var policyOIDs = [][]byte{oid(1, 2, 3, 1), oid(1, 2, 3, 2), oid(2, 5, 29, 32, 0)}

func randomPolicyExts(r *rand.Rand) (out [][]byte) {
	if r.Intn(4) > 0 {
		list := [][]byte{}
		for _, p := range policyOIDs {
			if r.Intn(2) == 0 {
				list = append(list, p)
			}
		}
		out = append(out, extPolicies(list...))
	}
	if r.Intn(3) == 0 {
		var v []byte
		if r.Intn(3) > 0 {
			v = append(v, prim(0, []byte{byte(r.Intn(4))})...)
		}
		if r.Intn(3) == 0 {
			v = append(v, prim(1, []byte{byte(r.Intn(3))})...)
		}
		out = append(out, ext(true, seq(v), 2, 5, 29, 36))
	}
	if r.Intn(4) == 0 {
		var v []byte
		for range 1 + r.Intn(2) {
			v = append(v, seq(pick(r, policyOIDs...), pick(r, policyOIDs[:2]...))...)
		}
		out = append(out, ext(false, seq(v), 2, 5, 29, 33))
	}
	if r.Intn(4) == 0 {
		out = append(out, ext(true, num(int64(r.Intn(3))), 2, 5, 29, 54))
	}
	return out
}

// randomGraph is a handful of authorities that signed each other in all ways.
func randomGraph(r *rand.Rand, name string) Case {
	count := 2 + r.Intn(4)
	keyOf := func(i int) *Key { return ecKey("P-256", fmt.Sprint("graph", i)) }
	nameOfCA := func(i int) []byte { return nameOf(fmt.Sprint("G", i/2)) } // two keys a name
	day := func() time.Time { return noon.AddDate(0, 0, r.Intn(120)-60) }
	spec := func(i, by int) Spec {
		s := interSpec(nameOfCA(i), keyOf(i), nameOfCA(by), keyOf(by))
		s.serial = num(int64(r.Intn(100)))
		s.from, s.to = day(), day()
		if r.Intn(2) == 0 || s.from.After(s.to) {
			s.from, s.to = interFrom, interTo
		}
		s.exts = [][]byte{extBC(r.Intn(10) > 0, pick(r, -1, -1, -1, 0, 1, 2))}
		if r.Intn(2) == 0 {
			s.exts = append(s.exts, pick(r, extKU(5), extKU(5, 6), extKU(6)))
		}
		if r.Intn(2) == 0 {
			s.exts = append(s.exts, extSKI(keyOf(pick(r, i, i, i^1)).id))
		}
		if r.Intn(2) == 0 {
			s.exts = append(s.exts, extAKI(keyOf(pick(r, by, by, by^1)).id))
		}
		if r.Intn(5) == 0 {
			s.exts = append(s.exts, randomUsage(r))
		}
		if r.Intn(8) == 0 {
			s.exts = append(s.exts, extSAN(dns(pick(r, "x.test", "y.test"))))
		}
		if r.Intn(8) == 0 {
			s.exts = append(s.exts, extNC(parts{dns(pick(r, "test", "example.test", "com"))}, nil))
		}
		if r.Intn(20) == 0 {
			s.exts = append(s.exts, ext(true, null(), 1, 2, 3, 4))
		}
		if r.Intn(4) == 0 {
			s.exts = append(s.exts, randomPolicyExts(r)...)
		}
		return s
	}
	var chain, roots parts
	lk := ecKey("P-256", "leaf")
	by := r.Intn(count)
	leaf := leafSpec(lk, nameOfCA(by), keyOf(by))
	if r.Intn(4) == 0 {
		leaf.exts = append(leaf.exts, randomPolicyExts(r)...)
	}
	chain = append(chain, crt(leaf.sign(keyOf(by))))
	for range r.Intn(9) {
		i, j := r.Intn(count), r.Intn(count)
		der := crt(spec(i, j).sign(keyOf(pick(r, j, j, j, j^1))))
		if r.Intn(4) == 0 {
			roots = append(roots, der)
		} else {
			chain = append(chain, der)
		}
	}
	top := r.Intn(count)
	roots = append(roots, crt(spec(top, top).sign(keyOf(top))))
	return Case{name: name, cert: chain, key: parts{block("PRIVATE KEY", lk.pkcs8())}, roots: roots, names: []string{host}, at: []time.Time{noon}}
}
