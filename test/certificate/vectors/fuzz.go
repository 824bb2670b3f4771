package main

import (
	"fmt"
	"math/rand"
	"strings"
	"time"
)

// Mutants: certificates, keys and PEM text changed at random, and random profiles of everything that decides
// a path. Changed certificates are signed anew, so that it isn't always the signature that fails.

// node is a DER element; leaves hold octets, others children. raw replaces its encoding as a whole.
type node struct {
	tag      byte
	prefix   []byte // before the children, as the padding octet of a BIT STRING
	body     []byte
	children []*node
	length   func(n int) []byte
	raw      []byte
}

func parseDER(b []byte) ([]*node, bool) {
	var out []*node
	for len(b) > 0 {
		if len(b) < 2 || b[0]&0x1f == 0x1f {
			return nil, false
		}
		n, head := int(b[1]), 2
		if n >= 0x80 {
			k := n & 0x7f
			if k == 0 || k > 3 || len(b) < 2+k {
				return nil, false
			}
			n = 0
			for _, c := range b[2 : 2+k] {
				n = n<<8 | int(c)
			}
			head += k
		}
		if len(b) < head+n {
			return nil, false
		}
		x := &node{tag: b[0], body: b[head : head+n]}
		switch {
		case b[0]&0x20 != 0:
			if kids, ok := parseDER(x.body); ok {
				x.children, x.body = kids, nil
			}
		case b[0] == 4 && n > 1:
			if kids, ok := parseDER(x.body); ok {
				x.children, x.body = kids, nil
			}
		case b[0] == 3 && n > 2:
			if kids, ok := parseDER(x.body[1:]); ok {
				x.prefix, x.children, x.body = x.body[:1], kids, nil
			}
		}
		out = append(out, x)
		b = b[head+n:]
	}
	return out, true
}

func (x *node) encode() []byte {
	if x.raw != nil {
		return x.raw
	}
	body := append([]byte(nil), x.prefix...)
	body = append(body, x.body...)
	for _, c := range x.children {
		body = append(body, c.encode()...)
	}
	if x.length != nil {
		return cat([]byte{x.tag}, x.length(len(body)), body)
	}
	return tlv(x.tag, body)
}

func (x *node) all(out *[]*node) {
	*out = append(*out, x)
	for _, c := range x.children {
		c.all(out)
	}
}

var spareTags = []byte{1, 2, 3, 4, 5, 6, 0x0c, 0x12, 0x13, 0x14, 0x16, 0x17, 0x18, 0x1c, 0x1e, 0x30, 0x31, 0x80, 0x81, 0x82, 0x86, 0x87, 0xa0, 0xa1, 0xa3, 0xa4, 0x1f, 0x24, 0x0a}

// twist changes DER somewhere; r decides where and how.
func twist(r *rand.Rand, der []byte) []byte {
	roots, ok := parseDER(der)
	if !ok || len(roots) == 0 {
		return scratch(r, der)
	}
	for range 1 + r.Intn(2) {
		var nodes []*node
		roots[0].all(&nodes)
		x := nodes[r.Intn(len(nodes))]
		y := nodes[r.Intn(len(nodes))]
		switch r.Intn(15) {
		case 0:
			x.tag = spareTags[r.Intn(len(spareTags))]
		case 1:
			x.tag ^= 1 << r.Intn(8)
		case 2, 3, 4:
			if len(x.body) > 0 {
				x.body = append([]byte(nil), x.body...)
				x.body[r.Intn(len(x.body))] ^= 1 << r.Intn(8)
			}
		case 5:
			x.body = append(append([]byte(nil), x.body...), byte(r.Intn(256)))
		case 6:
			if len(x.body) > 0 {
				x.body = x.body[:len(x.body)-1]
			}
		case 7:
			if len(x.body) > 0 {
				x.body = x.body[1:]
			}
		case 8:
			x.body = append([]byte{[]byte{0, 0xff, 0x80, 0x7f, 1}[r.Intn(5)]}, x.body...)
		case 9:
			if n := len(x.children); n > 0 {
				i := r.Intn(n)
				x.children = append(append([]*node(nil), x.children[:i]...), x.children[i+1:]...)
			}
		case 10:
			if n := len(x.children); n > 0 {
				i := r.Intn(n)
				x.children = append(append(append([]*node(nil), x.children[:i]...), x.children[i]), x.children[i:]...)
			}
		case 11:
			if n := len(x.children); n > 1 {
				i, j := r.Intn(n), r.Intn(n)
				x.children = append([]*node(nil), x.children...)
				x.children[i], x.children[j] = x.children[j], x.children[i]
			}
		case 12:
			raw := y.encode()
			x.raw = raw
		case 13:
			switch r.Intn(4) {
			case 0:
				x.length = func(n int) []byte { return []byte{0x82, byte(n >> 8), byte(n)} }
			case 1:
				x.length = func(n int) []byte { return []byte{0x84, 0, 0, byte(n >> 8), byte(n)} }
			case 2:
				d := r.Intn(5) - 2
				x.length = func(n int) []byte {
					return tlv(0, make([]byte, max(0, n+d)))[1 : len(tlv(0, make([]byte, max(0, n+d))))-max(0, n+d)]
				}
			case 3:
				x.length = func(n int) []byte { return []byte{0x80} }
			}
		case 14:
			x.children = append(append([]*node(nil), x.children...), &node{tag: spareTags[r.Intn(len(spareTags))], body: []byte{byte(r.Intn(256))}})
		}
	}
	return roots[0].encode()
}

// scratch changes octets without looking.
func scratch(r *rand.Rand, b []byte) []byte {
	b = append([]byte(nil), b...)
	for range 1 + r.Intn(3) {
		if len(b) == 0 {
			return b
		}
		i := r.Intn(len(b))
		switch r.Intn(4) {
		case 0:
			b[i] ^= 1 << r.Intn(8)
		case 1:
			b = append(b[:i], b[i+1:]...)
		case 2:
			b = append(b[:i], append([]byte{byte(r.Intn(256))}, b[i:]...)...)
		case 3:
			b = b[:i]
		}
	}
	return b
}

// scribble changes PEM text.
func scribble(r *rand.Rand, b []byte) []byte {
	const ink = "\n\n\r \t-:=+/A\x00\v\xef."
	words := []string{"-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n", "-----BEGIN ", "-----END ", "-----", "\n\n", "\r\n", "A: b\n", ":\n", "-----BEGIN PRIVATE KEY-----\n", "-----END PRIVATE KEY-----", "====", "x"}
	for range 1 + r.Intn(3) {
		if len(b) == 0 {
			return b
		}
		// Most of the interest lies around the marks.
		i := r.Intn(len(b))
		if at := strings.Index(string(b[i:]), "-----"); at >= 0 && r.Intn(3) > 0 {
			i = min(len(b)-1, max(0, i+at+r.Intn(40)-4))
		}
		switch r.Intn(7) {
		case 0:
			b = cat(b[:i], []byte{ink[r.Intn(len(ink))]}, b[i:])
		case 1:
			b = cat(b[:i], b[i+1:])
		case 2:
			b = cat(b[:i], []byte{ink[r.Intn(len(ink))]}, b[i+1:])
		case 3:
			b = cat(b[:i], []byte(words[r.Intn(len(words))]), b[i:])
		case 4:
			lines := strings.SplitAfter(string(b), "\n")
			j, k := r.Intn(len(lines)), r.Intn(len(lines))
			lines[j], lines[k] = lines[k], lines[j]
			b = []byte(strings.Join(lines, ""))
		case 5:
			lines := strings.SplitAfter(string(b), "\n")
			j := r.Intn(len(lines))
			b = []byte(strings.Join(append(append([]string{}, lines[:j]...), lines[min(len(lines), j+1+r.Intn(2)):]...), ""))
		case 6:
			lines := strings.SplitAfter(string(b), "\n")
			j := r.Intn(len(lines))
			b = []byte(strings.Join(append(append([]string{}, lines[:j+1]...), lines[j:]...), ""))
		}
	}
	return b
}

func mutant(r *rand.Rand, name string) Case {
	k := std()
	c := Case{name: name, cert: parts{k.leafPEM, k.interPE}, key: parts{k.keyPEM}, roots: parts{k.rootPEM}, names: []string{""}, at: []time.Time{noon}}
	resigned := func(by *Key) func([]byte) []byte { return func(tbs []byte) []byte { return twist(r, tbs) } }
	switch kind := r.Intn(22); kind {
	case 0, 1, 2:
		c.cert[0] = crt(k.leaf.with(func(s *Spec) { s.tbs = resigned(k.ik) }).sign(k.ik))
	case 3, 4:
		c.cert[1] = crt(k.inter.with(func(s *Spec) { s.tbs = resigned(k.rk) }).sign(k.rk))
	case 5:
		c.roots[0] = crt(k.root.with(func(s *Spec) { s.tbs = resigned(k.rk) }).sign(k.rk))
	case 6:
		c.cert[r.Intn(2)] = crt(twist(r, k.leaf.sign(k.ik)))
	case 7, 8:
		key := pick(r, rsaKey(1024, "leaf"), ecKey("P-224", "leaf"), ecKey("P-256", "leaf"), ecKey("P-384", "leaf"), ecKey("P-521", "leaf"), edKey("leaf"))
		c.cert[0] = crt(leafSpec(key, k.interN, k.ik).sign(k.ik))
		der := key.pkcs8()
		switch {
		case key.kind == "rsa" && r.Intn(2) == 0:
			der = key.pkcs1()
		case key.kind == "ec" && r.Intn(2) == 0:
			der = key.sec1(true)
		}
		if r.Intn(3) > 0 {
			der = twist(r, der)
		} else {
			der = scratch(r, der)
		}
		c.key = parts{block(pick(r, "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"), der)}
	case 9, 10:
		field := pick(r, &c.cert, &c.cert, &c.key, &c.roots)
		*field = parts{scribble(r, cat(*field...))}
	case 11:
		c.cert = parts{scribble(r, cat(k.leafPEM, k.keyPEM, k.interPE))}
	case 12, 13:
		sans := randomNames(r, false, 4)
		c.cert[0] = crt(leafSpec(k.lk, k.interN, k.ik, append(sans, dns("ok.test"))...).sign(k.ik))
		nc := extNC(pick(r, nil, randomNames(r, true, 4)), pick(r, nil, randomNames(r, true, 4)))
		c.cert[1] = crt(k.inter.with(addExt(nc)).sign(k.rk))
	case 14:
		// Names only of DNS, where the search among subtrees matters.
		var sans, trees [][]byte
		for range 1 + r.Intn(3) {
			sans = append(sans, dns(randomDomain(r)))
		}
		for range 1 + r.Intn(6) {
			trees = append(trees, dns(randomDomain(r)))
		}
		c.cert[0] = crt(leafSpec(k.lk, k.interN, k.ik, sans...).sign(k.ik))
		nc := extNC(trees, nil)
		if r.Intn(2) == 0 {
			nc = extNC(nil, trees)
		}
		c.cert[1] = crt(k.inter.with(addExt(nc)).sign(k.rk))
	case 15:
		var sans [][]byte
		for range 1 + r.Intn(6) {
			sans = append(sans, pick(r, dns(randomDomain(r)), dns(randomHost(r)), ip(randomIP(r)...)))
		}
		for range 12 {
			name := randomHost(r)
			c.names = append(c.names, name)
			if r.Intn(2) == 0 {
				sans = append(sans, dns(name))
			}
		}
		c.cert[0] = crt(leafSpec(k.lk, k.interN, k.ik, sans...).sign(k.ik))
	case 16:
		validity := seq(randomTime(r), randomTime(r))
		which := r.Intn(2)
		if which == 0 {
			c.cert[0] = crt(k.leaf.with(func(s *Spec) { s.validity = validity }).sign(k.ik))
		} else {
			c.cert[1] = crt(k.inter.with(func(s *Spec) { s.validity = validity }).sign(k.rk))
		}
	case 17:
		san := seq(randomNames(r, false, 3)...)
		if r.Intn(3) == 0 {
			san = scratch(r, san)
		}
		c.cert[0] = crt(k.leaf.with(onlyExt(ext(r.Intn(2) == 0, san, 2, 5, 29, 17))).sign(k.ik))
	case 18:
		mk, midN := ecKey("P-256", "mid"), pick(r, nameOf("Mid"), k.interN)
		l := leafSpec(k.lk, midN, mk).with(addExt(randomPolicyExts(r)...))
		m := interSpec(midN, mk, k.interN, k.ik).with(addExt(randomPolicyExts(r)...))
		i := k.inter.with(addExt(randomPolicyExts(r)...))
		c.cert = parts{crt(l.sign(mk)), crt(m.sign(k.ik)), crt(i.sign(k.rk))}
	case 19, 20:
		return randomGraph(r, name)
	case 21:
		id := pick(r, 14, 15, 19, 17, 30, 31, 32, 33, 35, 36, 37, 54, 99)
		value := scratch(r, pick(r, seq(boolean(true), num(1)), kuBits(5), octets([]byte("abc")), seq(prim(0, []byte("abc"))), seq(ekuServer), seq(seq(oid(1, 2, 3))), num(1), seq(dns(host)), seq(ctx(0, seq(dns("test"))))))
		spec := k.inter
		spec.exts = [][]byte{extBC(true, -1), ext(r.Intn(2) == 0, value, 2, 5, 29, id)}
		if id == 19 {
			spec.exts = spec.exts[1:]
		}
		c.cert[1] = crt(spec.sign(k.rk))
	}
	return c
}

func mutants(n int, seed int64) []Case {
	r := rand.New(rand.NewSource(seed))
	out := make([]Case, 0, n)
	for i := range n {
		out = append(out, mutant(rand.New(rand.NewSource(r.Int63())), fmt.Sprint("mutant ", seed, "/", i)))
	}
	return out
}

// chosenMutants are part of the catalogue: few enough to be checked in.
func chosenMutants() []Case { return mutants(400, 20261123) }
