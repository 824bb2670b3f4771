package main

import (
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"time"
)

func date(y, m, d int) time.Time { return time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC) }

var (
	noon      = date(2026, 6, 1).Add(12 * time.Hour)
	leafFrom  = date(2026, 5, 1)
	leafTo    = date(2026, 7, 30)
	interFrom = date(2025, 1, 1)
	interTo   = date(2028, 1, 1)
	rootFrom  = date(2020, 1, 1)
	rootTo    = date(2040, 1, 1)
	host      = "www.example.test"
)

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
func crt(der []byte) []byte { return block("CERTIFICATE", der) }

func rootSpec(name []byte, k *Key) Spec {
	return Spec{version: ctx(0, num(2)), serial: num(1), issuer: name, subject: name, from: rootFrom, to: rootTo, spki: k.spki,
		exts: [][]byte{extBC(true, -1), extKU(5, 6), extSKI(k.id)}}
}

func interSpec(name []byte, k *Key, issuer []byte, by *Key) Spec {
	return Spec{version: ctx(0, num(2)), serial: num(2), issuer: issuer, subject: name, from: interFrom, to: interTo, spki: k.spki,
		exts: [][]byte{extBC(true, -1), extKU(5, 6), extSKI(k.id), extAKI(by.id)}}
}

func leafSpec(k *Key, issuer []byte, by *Key, names ...[]byte) Spec {
	if names == nil {
		names = [][]byte{dns(host)}
	}
	return Spec{version: ctx(0, num(2)), serial: num(0x1234567890), issuer: issuer, subject: nameOf(host), from: leafFrom, to: leafTo, spki: k.spki,
		exts: [][]byte{extKU(0), extEKU(ekuServer), extBC(false, -1), extAKI(by.id), extSAN(names...)}}
}

// kit is the usual three: a root, an intermediate, a leaf, all P-256.
type kit struct {
	rk, ik, lk       *Key
	rootN, interN    []byte
	root, inter      Spec
	leaf             Spec
	rootPEM, interPE []byte
	leafPEM, keyPEM  []byte
}

func std() kit {
	k := kit{rk: ecKey("P-256", "root"), ik: ecKey("P-256", "inter"), lk: ecKey("P-256", "leaf"), rootN: nameOf("Root"), interN: nameOf("Inter")}
	k.root = rootSpec(k.rootN, k.rk)
	k.inter = interSpec(k.interN, k.ik, k.rootN, k.rk)
	k.leaf = leafSpec(k.lk, k.interN, k.ik)
	k.rootPEM = crt(k.root.sign(k.rk))
	k.interPE = crt(k.inter.sign(k.rk))
	k.leafPEM = crt(k.leaf.sign(k.ik))
	k.keyPEM = block("PRIVATE KEY", k.lk.pkcs8())
	return k
}

type book struct{ cases []Case }

func (b *book) add(name string, cert, key, roots [][]byte, names ...string) {
	if len(names) == 0 {
		names = []string{host, ""}
	}
	b.cases = append(b.cases, Case{name: name, cert: cert, key: key, roots: roots, names: names, at: []time.Time{noon}})
}

type parts = [][]byte

func catalogue() []Case {
	b := &book{}
	addKeys(b)
	addPEM(b)
	addFields(b)
	addExtensions(b)
	addNames(b)
	addHostnames(b)
	addTimes(b)
	addPaths(b)
	addUsages(b)
	addConstraints(b)
	addPolicies(b)
	addSignatures(b)
	return b.cases
}

// onLeaf, onInter and onRoot make cases of a change to one certificate.
func (b *book) onLeaf(name string, changes ...func(*Spec)) {
	k := std()
	b.add(name+" (leaf)", parts{crt(k.leaf.with(changes...).sign(k.ik)), k.interPE}, parts{k.keyPEM}, parts{k.rootPEM})
}
func (b *book) onInter(name string, changes ...func(*Spec)) {
	k := std()
	b.add(name+" (intermediate)", parts{k.leafPEM, crt(k.inter.with(changes...).sign(k.rk))}, parts{k.keyPEM}, parts{k.rootPEM})
}
func (b *book) onRoot(name string, changes ...func(*Spec)) {
	k := std()
	b.add(name+" (root)", parts{k.leafPEM, k.interPE}, parts{k.keyPEM}, parts{crt(k.root.with(changes...).sign(k.rk))})
}
func (b *book) onAll(name string, changes ...func(*Spec)) {
	b.onLeaf(name, changes...)
	b.onInter(name, changes...)
	b.onRoot(name, changes...)
}

// shifted moves bits up; the top ones have to be zero.
func shifted(b []byte, by uint) []byte {
	out := make([]byte, len(b))
	for i := range b {
		out[i] = b[i] << by
		if i+1 < len(b) {
			out[i] |= b[i+1] >> (8 - by)
		}
	}
	return out
}

func addFields(b *book) {
	onBoth := func(name string, f func(*Spec)) { b.onLeaf("field "+name, f); b.onInter("field "+name, f) }
	serial := func(name string, der []byte) { onBoth("serial "+name, func(s *Spec) { s.serial = der }) }
	serial("zero", num(0))
	serial("negative", num(-5))
	serial("minus one", num(-1))
	serial("minimal negative", []byte{2, 1, 0x80})
	serial("of 20 octets", bigNum(new(big.Int).Lsh(big.NewInt(1), 158)))
	serial("of 40 octets", bigNum(new(big.Int).Lsh(big.NewInt(1), 318)))
	serial("of 300 octets", bigNum(new(big.Int).Lsh(big.NewInt(1), 2390)))
	serial("padded", []byte{2, 2, 0, 5})
	serial("padded negative", []byte{2, 2, 0xff, 0x80})
	serial("empty", []byte{2, 0})
	serial("an enumerated", []byte{10, 1, 5})
	serial("absent", nil)
	version := func(name string, der []byte) { b.onAll("field version "+name, func(s *Spec) { s.version = der }) }
	version("absent", nil)
	version("1", ctx(0, num(0)))
	version("2", ctx(0, num(1)))
	version("4", ctx(0, num(3)))
	version("negative", ctx(0, num(-1)))
	version("empty", ctx(0))
	version("with more", ctx(0, num(2), num(2)))
	version("primitive", prim(0, num(2)))
	version("implicit", prim(0, []byte{2}))
	version("padded", ctx(0, []byte{2, 2, 0, 2}))
	version("huge", ctx(0, bigNum(new(big.Int).Lsh(big.NewInt(1), 80))))
	for _, v := range []struct {
		name string
		der  []byte
	}{{"1", nil}, {"2", ctx(0, num(1))}} {
		onBoth("no extensions at version "+v.name, func(s *Spec) { s.version, s.exts = v.der, nil })
		b.onRoot("field no extensions at version "+v.name, func(s *Spec) { s.version, s.exts = v.der, nil })
	}
	b.onAll("field no extensions at version 3", func(s *Spec) { s.exts = nil })
	onBoth("empty extensions", func(s *Spec) { s.rawExts = ctx(3, seq()) })
	onBoth("extensions without a sequence", func(s *Spec) { s.rawExts = ctx(3) })
	onBoth("extensions primitive", func(s *Spec) { s.rawExts = prim(3, seq(s.exts...)) })
	onBoth("extensions as tag 4", func(s *Spec) { s.rawExts = ctx(4, seq(s.exts...)) })
	onBoth("extensions twice", func(s *Spec) { s.tail = ctx(3, seq(s.exts...)) })
	onBoth("trailing in extensions", func(s *Spec) { s.rawExts = ctx(3, seq(s.exts...), null()) })
	onBoth("an extension that is a set", func(s *Spec) { s.exts = append(s.exts, set(oid(1, 2, 3), octets())) })
	onBoth("an extension without a value", func(s *Spec) { s.exts = append(s.exts, seq(oid(1, 2, 3))) })
	onBoth("an extension with more", func(s *Spec) { s.exts = append(s.exts, seq(oid(1, 2, 3), octets(), null())) })
	onBoth("an extension with critical 1", func(s *Spec) { s.exts = append(s.exts, seq(oid(1, 2, 3), []byte{1, 1, 1}, octets())) })
	onBoth("an extension with critical empty", func(s *Spec) { s.exts = append(s.exts, seq(oid(1, 2, 3), []byte{1, 0}, octets())) })
	onBoth("an extension with explicit false", func(s *Spec) { s.exts = append(s.exts, seq(oid(1, 2, 3), boolean(false), octets())) })
	onBoth("an extension with a constructed value", func(s *Spec) { s.exts = append(s.exts, seq(oid(1, 2, 3), tlv(0x24, octets()))) })
	onBoth("an extension with critical after the value", func(s *Spec) { s.exts = append(s.exts, seq(oid(1, 2, 3), octets(), boolean(true))) })
	onBoth("unique ids", func(s *Spec) { s.uniqueID = cat(prim(1, []byte{0, 1}), prim(2, []byte{0, 2})) })
	onBoth("unique ids reversed", func(s *Spec) { s.uniqueID = cat(prim(2, []byte{0, 1}), prim(1, []byte{0, 2})) })
	onBoth("unique id constructed", func(s *Spec) { s.uniqueID = ctx(1, bits(0, nil)) })
	onBoth("unique id at version 1", func(s *Spec) { s.version, s.exts, s.uniqueID = nil, nil, prim(1, []byte{0, 1}) })
	onBoth("something after the extensions", func(s *Spec) { s.tail = null() })
	onBoth("something after the signature", func(s *Spec) { s.end = null() })
	onBoth("trailing data", func(s *Spec) { s.after = []byte{0} })
	onBoth("inner and outer algorithms differ", func(s *Spec) { s.outerAlg = seq(oid(1, 2, 840, 10045, 4, 3, 3)) })
	onBoth("outer algorithm with null", func(s *Spec) { s.outerAlg = seq(oid(1, 2, 840, 10045, 4, 3, 2), null()) })
	onBoth("both algorithms with null", func(s *Spec) { s.alg = seq(oid(1, 2, 840, 10045, 4, 3, 2), null()) })
	onBoth("both algorithms with junk", func(s *Spec) { s.alg = seq(oid(1, 2, 840, 10045, 4, 3, 2), octets([]byte("junk")), num(3)) })
	onBoth("algorithm with bad parameters", func(s *Spec) { s.alg = seq(oid(1, 2, 840, 10045, 4, 3, 2), []byte{4, 9, 1}) })
	onBoth("algorithm empty", func(s *Spec) { s.alg = seq() })
	onBoth("algorithm unknown", func(s *Spec) { s.alg = seq(oid(1, 2, 3)) })
	onBoth("algorithm oid padded", func(s *Spec) { s.alg = seq([]byte{6, 3, 0x2a, 0x80, 0x01}) })
	onBoth("algorithm oid truncated", func(s *Spec) { s.alg = seq([]byte{6, 2, 0x2a, 0x86}) })
	onBoth("algorithm oid with a 32 bit arc", func(s *Spec) { s.alg = seq([]byte{6, 6, 0x2a, 0x90, 0x80, 0x80, 0x80, 0x00}) })
	onBoth("algorithm oid with a 31 bit arc", func(s *Spec) { s.alg = seq([]byte{6, 6, 0x2a, 0x87, 0xff, 0xff, 0xff, 0x7f}) })
	onBoth("signature with padding bits", func(s *Spec) {
		s.sigBits = func(sig []byte) []byte { return bits(1, append(append([]byte(nil), sig...), 0)) }
	})
	onBoth("signature shifted by padding bits", func(s *Spec) {
		s.sigBits = func(sig []byte) []byte {
			out := make([]byte, len(sig)+1)
			for i, c := range sig {
				out[i] |= c >> 4
				out[i+1] = c << 4
			}
			return bits(4, out)
		}
	})
	onBoth("signature bits empty", func(s *Spec) { s.sigBits = func([]byte) []byte { return []byte{3, 0} } })
	onBoth("signature bits of nothing", func(s *Spec) { s.sigBits = func([]byte) []byte { return []byte{3, 1, 0} } })
	onBoth("signature in octets", func(s *Spec) { s.sigBits = func(sig []byte) []byte { return octets(sig) } })
	onBoth("unique id malformed at version 2", func(s *Spec) { s.version, s.exts, s.tail = ctx(0, num(1)), nil, []byte{0x81, 9, 1} })
	onBoth("extensions at version 2", func(s *Spec) { s.version = ctx(0, num(1)) })
	onBoth("signature shifted by its leading zero bits", func(s *Spec) { s.sigBits = func(sig []byte) []byte { return bits(2, shifted(sig, 2)) } })
	for _, id := range [][]byte{{0x2a, 0x80, 0x01}, {0x2a, 0x86}, {0x80, 0x2a}, {}, {0x2a, 0x90, 0x80, 0x80, 0x80, 0x00}, {0x2a, 0x88, 0x80, 0x80, 0x80, 0x00}, {0x2a, 0x87, 0xff, 0xff, 0xff, 0x7f}, {0x2a, 0x81, 0x80, 0x80, 0x80, 0x80, 0x00}, {0x87, 0xff, 0xff, 0xff, 0x7f}, {0x88, 0x80, 0x80, 0x80, 0x00}} {
		onBoth(fmt.Sprintf("extension oid %x", id), func(s *Spec) { s.exts = append(s.exts, seq(tlv(6, id), octets())) })
		onBoth(fmt.Sprintf("usage oid %x", id), func(s *Spec) {
			s.exts = [][]byte{extBC(true, -1), extSAN(dns(host)), extEKU(ekuServer, tlv(6, id))}
		})
		onBoth(fmt.Sprintf("key algorithm oid %x", id), func(s *Spec) { s.spki = seq(seq(tlv(6, id)), bits(0, nil)) })
	}
	for n, head := range [][]byte{{0x30, 0x81}, {0x30, 0x82}, {0x30, 0x82, 0}, {0x30, 0x83, 0, 0}, {0x30, 0x84, 0, 0, 0}, {0x30, 0x85, 0, 0, 0, 0}} {
		for _, body := range [][]byte{cn("short"), cn(strings.Repeat("long", 40)), cn(strings.Repeat("longest", 60))} {
			l := []byte{byte(len(body))}
			if len(body) > 255 {
				l = []byte{byte(len(body) >> 8), byte(len(body))}
			}
			name := cat(head, l, body)
			b.onLeaf(fmt.Sprint("field name with length ", n, " of ", len(body)), func(s *Spec) { s.subject = name })
		}
	}
	onBoth("tbs of long length", func(s *Spec) {
		s.tbs = func(tbs []byte) []byte { return cat([]byte{0x30, 0x83, 0}, tbs[2:4], tbs[4:]) }
	})
	onBoth("tbs of indefinite length", func(s *Spec) {
		s.tbs = func(tbs []byte) []byte { return cat([]byte{0x30, 0x80}, tbs[4:], []byte{0, 0}) }
	})
	onBoth("tbs is a set", func(s *Spec) { s.tbs = func(tbs []byte) []byte { return append([]byte{0x31}, tbs[1:]...) } })
	onBoth("changed after signing", func(s *Spec) {
		s.sig = func(sig []byte) []byte { out := append([]byte(nil), sig...); out[len(out)-1] ^= 1; return out }
	})
}
