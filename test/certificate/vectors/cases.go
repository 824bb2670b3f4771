package main

import (
	"bytes"
	"encoding/base64"
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
		names = []string{host}
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

func addKeys(b *book) {
	k := std()
	all := []*Key{rsaKey(2048, "leaf"), rsaKey(1024, "leaf"), rsaKey(512, "leaf"), rsaKeyE(1024, 3, "leaf"), rsaKey(1031, "leaf"),
		ecKey("P-224", "leaf"), ecKey("P-256", "leaf"), ecKey("P-384", "leaf"), ecKey("P-521", "leaf"), edKey("leaf")}
	for _, key := range all {
		leaf := crt(leafSpec(key, k.interN, k.ik).sign(k.ik))
		chain := parts{leaf, k.interPE}
		forms := map[string][]byte{"pkcs8": key.pkcs8()}
		switch key.kind {
		case "rsa":
			forms["pkcs1"] = key.pkcs1()
		case "ec":
			forms["sec1"] = key.sec1(true)
			forms["sec1 without curve"] = key.sec1(false)
		}
		for _, form := range []string{"pkcs1", "pkcs8", "sec1", "sec1 without curve"} {
			der, ok := forms[form]
			if !ok {
				continue
			}
			for _, label := range []string{"PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "A PRIVATE KEY", "MYPRIVATE KEY", "PRIVATE KEY ", "private key", "CERTIFICATE"} {
				if label != "PRIVATE KEY" && key != all[1] && key != all[6] {
					continue
				}
				b.add(fmt.Sprint("key ", key.label, " ", form, " as ", label), chain, parts{block(label, der)}, parts{k.rootPEM})
			}
		}
		b.add("key "+key.label+" wrong", chain, parts{block("PRIVATE KEY", ecKey("P-256", "other").pkcs8())}, parts{k.rootPEM})
	}
	chain := parts{k.leafPEM, k.interPE}
	roots := parts{k.rootPEM}
	params := block("EC PARAMETERS", oid(curveOIDs["P-256"]...))
	b.add("key after EC PARAMETERS", chain, parts{params, block("EC PRIVATE KEY", k.lk.sec1(true))}, roots)
	b.add("key after EC PARAMETERS, no curve inside", chain, parts{params, block("EC PRIVATE KEY", k.lk.sec1(false))}, roots)
	b.add("key after a certificate", chain, parts{k.leafPEM, k.keyPEM}, roots)
	b.add("key after another key", chain, parts{block("PRIVATE KEY", ecKey("P-256", "other").pkcs8()), k.keyPEM}, roots)
	b.add("key before another key", chain, parts{k.keyPEM, block("PRIVATE KEY", ecKey("P-256", "other").pkcs8())}, roots)
	b.add("key after a broken key", chain, parts{block("PRIVATE KEY", []byte("nonsense")), k.keyPEM}, roots)
	b.add("key field holds the certificate", chain, parts{k.leafPEM}, roots)
	b.add("fields swapped", parts{k.keyPEM}, chain, roots)
	b.add("key in the certificate field before the leaf", parts{k.keyPEM, k.leafPEM, k.interPE}, parts{k.keyPEM}, roots)
	b.add("both in both", parts{k.leafPEM, k.keyPEM, k.interPE}, parts{k.leafPEM, k.keyPEM}, roots)
	b.add("key empty", chain, parts{}, roots)
	b.add("certificate empty", parts{}, parts{k.keyPEM}, roots)
	b.add("key blank", chain, parts{[]byte("\n")}, roots)
	b.add("key DER", chain, parts{k.lk.pkcs8()}, roots)
	b.add("certificate DER", parts{k.leaf.sign(k.ik)}, parts{k.keyPEM}, roots)

	// Elliptic curve structures.
	ec := func(name string, der []byte) { b.add("ec "+name, chain, parts{block("EC PRIVATE KEY", der)}, roots) }
	pub := ctx(1, bits(0, k.lk.point()))
	curve := ctx(0, k.lk.curveOID())
	scalar := k.lk.scalar()
	n := k.lk.ec.Params().N
	ec("version 0", seq(num(0), octets(scalar), curve, pub))
	ec("version 2", seq(num(2), octets(scalar), curve, pub))
	ec("scalar padded", seq(num(1), octets([]byte{0, 0}, scalar), curve, pub))
	ec("scalar padded with one", seq(num(1), octets([]byte{1}, scalar), curve, pub))
	ec("scalar zero", seq(num(1), octets(make([]byte, 32)), curve, pub))
	ec("scalar empty", seq(num(1), octets(), curve, pub))
	ec("scalar n", seq(num(1), octets(n.Bytes()), curve, pub))
	ec("scalar n plus d", seq(num(1), octets(new(big.Int).Add(n, new(big.Int).SetBytes(scalar)).Bytes()), curve, pub))
	ec("without public key", seq(num(1), octets(scalar), curve))
	ec("with another's public key", seq(num(1), octets(scalar), curve, ctx(1, bits(0, ecKey("P-256", "other").point()))))
	ec("with nonsense for a public key", seq(num(1), octets(scalar), curve, ctx(1, bits(0, []byte{9, 9}))))
	ec("public key with padding bits", seq(num(1), octets(scalar), curve, ctx(1, bits(3, []byte{8}))))
	ec("public key with bad padding", seq(num(1), octets(scalar), curve, ctx(1, bits(3, []byte{1}))))
	ec("public key before curve", seq(num(1), octets(scalar), pub, curve))
	ec("curve primitive", seq(num(1), octets(scalar), prim(0, k.lk.curveOID()), pub))
	ec("curve empty tag", seq(num(1), octets(scalar), ctx(0), pub))
	ec("curve empty tag last", seq(num(1), octets(scalar), ctx(0)))
	ec("curve holds an integer", seq(num(1), octets(scalar), ctx(0, num(7)), pub))
	ec("curve P-384", seq(num(1), octets(scalar), ctx(0, oid(curveOIDs["P-384"]...)), pub))
	ec("curve unknown", seq(num(1), octets(scalar), ctx(0, oid(1, 3, 132, 0, 10)), pub))
	ec("tag 2 after", seq(num(1), octets(scalar), curve, pub, ctx(2, num(1))))
	ec("trailing in sequence", seq(num(1), octets(scalar), curve, pub, []byte("trailing")))
	ec("trailing after", append(k.lk.sec1(true), "more"...))
	ec("set for a sequence", append([]byte{0x31}, k.lk.sec1(true)[1:]...))
	ec("long length", cat([]byte{0x30, 0x81}, k.lk.sec1(true)[1:]))
	ec("outer tag shorter than inner", seq(num(1), octets(scalar), []byte{0xa0, 2}, k.lk.curveOID(), pub))
	ec("version negative", seq([]byte{2, 1, 0xff}, octets(scalar), curve, pub))
	ec("version padded", seq([]byte{2, 2, 0, 1}, octets(scalar), curve, pub))
	short := ecKey("P-256", "short42")
	ec("another", short.sec1(true))

	for _, title := range []string{"P-224", "P-256", "P-384", "P-521"} {
		c := curveByName(title)
		size := (c.Params().N.BitLen() + 7) / 8
		for delta := int64(-1); delta <= 1; delta++ {
			d := new(big.Int).Add(c.Params().N, big.NewInt(delta)).FillBytes(make([]byte, size))
			// The public key of n-1 is the base point turned over.
			y := new(big.Int).Sub(c.Params().P, c.Params().Gy).FillBytes(make([]byte, (c.Params().P.BitLen()+7)/8))
			x := c.Params().Gx.FillBytes(make([]byte, len(y)))
			leaf := k.leaf.with(func(s *Spec) { s.spki = ecSPKI(title, cat([]byte{4}, x, y)) })
			der := seq(num(1), octets(d), ctx(0, oid(curveOIDs[title]...)))
			b.add(fmt.Sprint("ec ", title, " order and ", delta), parts{crt(leaf.sign(k.ik)), k.interPE}, parts{block("EC PRIVATE KEY", der)}, roots)
		}
	}
	p8 := func(name string, der []byte) { b.add("pkcs8 "+name, chain, parts{block("PRIVATE KEY", der)}, roots) }
	alg := func(params []byte) []byte { return seq(oid(1, 2, 840, 10045, 2, 1), params) }
	p8("version 1", seq(num(1), alg(k.lk.curveOID()), octets(k.lk.sec1(false))))
	p8("version huge", seq(num(1<<40), alg(k.lk.curveOID()), octets(k.lk.sec1(false))))
	p8("with attributes", seq(num(0), alg(k.lk.curveOID()), octets(k.lk.sec1(false)), ctx(0, []byte{})))
	p8("with public key", seq(num(1), alg(k.lk.curveOID()), octets(k.lk.sec1(false)), prim(1, k.lk.point())))
	p8("curve inside only", seq(num(0), alg(nil), octets(k.lk.sec1(true))))
	p8("curve null outside, given inside", seq(num(0), alg(null()), octets(k.lk.sec1(true))))
	p8("curve nowhere", seq(num(0), alg(nil), octets(k.lk.sec1(false))))
	p8("curves differ", seq(num(0), alg(k.lk.curveOID()), octets(seq(num(1), octets(scalar), ctx(0, oid(curveOIDs["P-384"]...))))))
	p8("unknown curve outside", seq(num(0), alg(oid(1, 3, 132, 0, 10)), octets(k.lk.sec1(true))))
	p8("trailing after", append(k.lk.pkcs8(), 0))
	p8("trailing inside the octets", seq(num(0), alg(k.lk.curveOID()), octets(k.lk.sec1(false), []byte{1, 2, 3})))
	p8("wrapped twice", seq(num(0), alg(k.lk.curveOID()), octets(k.lk.pkcs8())))
	p8("unknown algorithm", seq(num(0), seq(oid(1, 2, 3, 4)), octets(k.lk.sec1(true))))
	p8("dsa", seq(num(0), seq(oid(1, 2, 840, 10040, 4, 1)), octets(num(5))))

	ed := edKey("leaf")
	edLeaf := crt(leafSpec(ed, k.interN, k.ik).sign(k.ik))
	e8 := func(name string, der []byte) {
		b.add("ed25519 "+name, parts{edLeaf, k.interPE}, parts{block("PRIVATE KEY", der)}, roots)
	}
	e8("null parameters", seq(num(0), seq(oid(1, 3, 101, 112), null()), octets(octets(ed.ed.Seed()))))
	e8("seed of 64", seq(num(0), seq(oid(1, 3, 101, 112)), octets(octets(ed.ed))))
	e8("seed of 31", seq(num(0), seq(oid(1, 3, 101, 112)), octets(octets(ed.ed.Seed()[:31]))))
	e8("seed bare", seq(num(0), seq(oid(1, 3, 101, 112)), octets(ed.ed.Seed())))
	e8("trailing after seed", seq(num(0), seq(oid(1, 3, 101, 112)), octets(octets(ed.ed.Seed()), []byte{5, 0})))
	e8("version 1 with public key", seq(num(1), seq(oid(1, 3, 101, 112)), octets(octets(ed.ed.Seed())), prim(1, cat([]byte{0}, ed.ed[32:]))))
	e8("x25519", seq(num(0), seq(oid(1, 3, 101, 110)), octets(octets(ed.ed.Seed()))))
	e8("x25519 short", seq(num(0), seq(oid(1, 3, 101, 110)), octets(octets(ed.ed.Seed()[:20]))))

	addRSA(b, k)

	// Public keys that a certificate can hold.
	pk := func(name string, spki []byte) {
		b.add("spki "+name, parts{crt(k.leaf.with(func(s *Spec) { s.spki = spki }).sign(k.ik)), k.interPE}, parts{k.keyPEM}, roots)
		// The same key in a further block, where parsing alone counts.
		b.add("spki "+name+" further", parts{k.leafPEM, k.interPE, crt(k.leaf.with(func(s *Spec) { s.spki = spki }).sign(k.ik))}, parts{k.keyPEM}, roots)
	}
	point := k.lk.point()
	ecAlg := seq(oid(1, 2, 840, 10045, 2, 1), k.lk.curveOID())
	flipped := append([]byte(nil), point...)
	flipped[64] ^= 1
	pk("off the curve", ecSPKI("P-256", flipped))
	pk("infinity", ecSPKI("P-256", []byte{0}))
	pk("zeroes", ecSPKI("P-256", append([]byte{4}, make([]byte, 64)...)))
	pk("compressed", ecSPKI("P-256", append([]byte{2 + point[64]&1}, point[1:33]...)))
	pk("hybrid", ecSPKI("P-256", append([]byte{6 + point[64]&1}, point[1:]...)))
	pk("short", ecSPKI("P-256", point[:64]))
	pk("long", ecSPKI("P-256", append(append([]byte(nil), point...), 0)))
	pk("x beyond p", ecSPKI("P-256", cat([]byte{4}, bytes.Repeat([]byte{0xff}, 32), point[33:])))
	pk("padding bits", seq(ecAlg, bits(4, append(append([]byte(nil), point[:64]...), point[64]&0xf0))))
	pk("bad padding", seq(ecAlg, bits(9, point)))
	pk("no curve", seq(seq(oid(1, 2, 840, 10045, 2, 1)), bits(0, point)))
	pk("null curve", seq(seq(oid(1, 2, 840, 10045, 2, 1), null()), bits(0, point)))
	pk("explicit curve", seq(seq(oid(1, 2, 840, 10045, 2, 1), seq(num(1))), bits(0, point)))
	pk("secp256k1", seq(seq(oid(1, 2, 840, 10045, 2, 1), oid(1, 3, 132, 0, 10)), bits(0, point)))
	pk("wrong curve", seq(seq(oid(1, 2, 840, 10045, 2, 1), oid(curveOIDs["P-384"]...)), bits(0, point)))
	pk("two curves", seq(seq(oid(1, 2, 840, 10045, 2, 1), k.lk.curveOID(), k.lk.curveOID()), bits(0, point)))
	pk("trailing in spki", seq(ecAlg, bits(0, point), null()))
	pk("unknown algorithm", seq(seq(oid(1, 2, 3)), bits(0, point)))
	pk("unknown algorithm, bad bits", seq(seq(oid(1, 2, 3)), bits(8, point)))
	pk("x25519", seq(seq(oid(1, 3, 101, 110)), bits(0, point[1:33])))
	pk("ed448", seq(seq(oid(1, 3, 101, 113)), bits(0, point[:57])))
	pk("ed25519 short", seq(seq(oid(1, 3, 101, 112)), bits(0, point[:31])))
	pk("ed25519 null", seq(seq(oid(1, 3, 101, 112), null()), bits(0, point[:32])))
	pk("ed25519 of 0xff", seq(seq(oid(1, 3, 101, 112)), bits(0, bytes.Repeat([]byte{0xff}, 32))))
	pk("dsa", seq(seq(oid(1, 2, 840, 10040, 4, 1), seq(num(23), num(11), num(4))), bits(0, num(8))))
	pk("dsa zero", seq(seq(oid(1, 2, 840, 10040, 4, 1), seq(num(23), num(0), num(4))), bits(0, num(8))))
	pk("dsa negative y", seq(seq(oid(1, 2, 840, 10040, 4, 1), seq(num(23), num(11), num(4))), bits(0, num(-8))))
	pk("dsa without parameters", seq(seq(oid(1, 2, 840, 10040, 4, 1)), bits(0, num(8))))
	pk("dsa short parameters", seq(seq(oid(1, 2, 840, 10040, 4, 1), seq(num(23), num(11))), bits(0, num(8))))
}

func addRSA(b *book, k kit) {
	rk := rsaKey(1024, "leaf")
	leaf := crt(leafSpec(rk, k.interN, k.ik).sign(k.ik))
	chain, roots := parts{leaf, k.interPE}, parts{k.rootPEM}
	dp, dq, qinv := rk.crt()
	one := big.NewInt(1)
	add := func(a, c *big.Int) *big.Int { return new(big.Int).Add(a, c) }
	sub := func(a, c *big.Int) *big.Int { return new(big.Int).Sub(a, c) }
	type numbers struct{ v, n, e, d, p, q, dp, dq, qi []byte }
	good := numbers{num(0), bigNum(rk.n), num(rk.e), bigNum(rk.d), bigNum(rk.p), bigNum(rk.q), bigNum(dp), bigNum(dq), bigNum(qinv)}
	put := func(name string, change func(*numbers), more ...[]byte) {
		x := good
		change(&x)
		der := seq(x.v, x.n, x.e, x.d, x.p, x.q, x.dp, x.dq, x.qi, cat(more...))
		b.add("rsa "+name, chain, parts{block("RSA PRIVATE KEY", der)}, roots)
	}
	put("as it should be", func(x *numbers) {})
	put("version 1", func(x *numbers) { x.v = num(1) })
	put("version 2", func(x *numbers) { x.v = num(2) })
	put("version negative", func(x *numbers) { x.v = num(-1) })
	put("no crt", func(x *numbers) { x.dp, x.dq, x.qi = nil, nil, nil })
	put("no qinv", func(x *numbers) { x.qi = nil })
	put("no dq and qinv", func(x *numbers) { x.dq, x.qi = nil, nil })
	put("wrong dp", func(x *numbers) { x.dp = bigNum(add(dp, one)) })
	put("wrong dq", func(x *numbers) { x.dq = bigNum(add(dq, one)) })
	put("wrong qinv", func(x *numbers) { x.qi = bigNum(add(qinv, one)) })
	put("qinv plus p", func(x *numbers) { x.qi = bigNum(add(qinv, rk.p)) })
	put("dp plus p-1", func(x *numbers) { x.dp = bigNum(add(dp, sub(rk.p, one))) })
	put("zero dp", func(x *numbers) { x.dp = num(0) })
	put("wrong d", func(x *numbers) { x.d = bigNum(add(rk.d, one)) })
	put("d plus phi", func(x *numbers) {
		x.d = bigNum(add(rk.d, new(big.Int).Mul(sub(rk.p, one), sub(rk.q, one))))
	})
	lambda := new(big.Int).Div(new(big.Int).Mul(sub(rk.p, one), sub(rk.q, one)), new(big.Int).GCD(nil, nil, sub(rk.p, one), sub(rk.q, one)))
	put("d mod lambda", func(x *numbers) { x.d = bigNum(new(big.Int).Mod(rk.d, lambda)) })
	put("negative d", func(x *numbers) { x.d = bigNum(new(big.Int).Neg(rk.d)) })
	put("primes swapped", func(x *numbers) { x.p, x.q = x.q, x.p })
	put("primes swapped with their exponents", func(x *numbers) { x.p, x.q, x.dp, x.dq = x.q, x.p, x.dq, x.dp })
	put("primes swapped, no crt", func(x *numbers) { x.p, x.q, x.dp, x.dq, x.qi = x.q, x.p, nil, nil, nil })
	put("p is 1", func(x *numbers) { x.p = num(1) })
	put("p is n, q is 1", func(x *numbers) { x.p, x.q = bigNum(rk.n), num(1) })
	put("p wrong", func(x *numbers) { x.p = bigNum(add(rk.p, big.NewInt(2))) })
	put("e even", func(x *numbers) { x.e = num(65536) })
	put("e 1", func(x *numbers) { x.e = num(1) })
	put("e 3", func(x *numbers) { x.e = num(3) })
	put("e large", func(x *numbers) { x.e = num(1<<31 + 11) })
	put("e beyond int64", func(x *numbers) { x.e = bigNum(new(big.Int).Lsh(one, 70)) })
	put("n padded", func(x *numbers) { x.n = tlv(2, []byte{0, 0}, rk.n.Bytes()) })
	put("n wrong", func(x *numbers) { x.n = bigNum(add(rk.n, big.NewInt(2))) })
	put("more primes empty", func(x *numbers) {}, seq())
	put("more primes: one", func(x *numbers) {}, seq(seq(num(7), num(1), num(1))))
	put("more primes: p again", func(x *numbers) {}, seq(seq(bigNum(rk.p), num(1), num(1))))
	put("more primes: 1", func(x *numbers) {}, seq(seq(num(1), num(1), num(1))))
	put("more primes: negative", func(x *numbers) {}, seq(seq(num(-7), num(1), num(1))))
	put("more primes: short", func(x *numbers) {}, seq(seq(num(7), num(1))))
	put("more primes: not a sequence", func(x *numbers) {}, seq(num(7)))
	put("more primes, wrong q", func(x *numbers) { x.q = num(5) }, seq(seq(num(7), num(1), num(1))))
	put("more primes, wrong d", func(x *numbers) { x.d = num(5) }, seq(seq(num(7), num(1), num(1))))
	put("octets after", func(x *numbers) {}, octets([]byte("x")))
	b.add("rsa trailing", chain, parts{block("RSA PRIVATE KEY", append(rk.pkcs1(), 0))}, roots)
	b.add("rsa trailing in pkcs8", chain, parts{block("PRIVATE KEY", append(rk.pkcs8(), 0))}, roots)
	b.add("rsa trailing in the octets of pkcs8", chain, parts{block("PRIVATE KEY", seq(num(0), seq(oid(1, 2, 840, 113549, 1, 1, 1), null()), octets(rk.pkcs1(), []byte{0})))}, roots)
	b.add("rsa pkcs8 without null", chain, parts{block("PRIVATE KEY", seq(num(0), seq(oid(1, 2, 840, 113549, 1, 1, 1)), octets(rk.pkcs1())))}, roots)
	b.add("rsa pkcs8 as pss", chain, parts{block("PRIVATE KEY", seq(num(0), seq(oid(1, 2, 840, 113549, 1, 1, 10), null()), octets(rk.pkcs1())))}, roots)
	b.add("rsa legacy encrypted", chain, parts{[]byte("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\n" + strings.Repeat("AAAA", 16) + "\n-----END RSA PRIVATE KEY-----\n")}, roots)

	// Close primes and a small d.
	near := closePrimes()
	b.add("rsa close primes", parts{crt(leafSpec(near, k.interN, k.ik).sign(k.ik)), k.interPE}, parts{block("RSA PRIVATE KEY", near.pkcs1())}, roots)

	spki := func(name string, n, e []byte, alg []byte) {
		if alg == nil {
			alg = seq(oid(1, 2, 840, 113549, 1, 1, 1), null())
		}
		der := k.leaf.with(func(s *Spec) { s.spki = seq(alg, bits(0, seq(n, e))) }).sign(k.ik)
		b.add("rsa spki "+name, parts{crt(der), k.interPE}, parts{block("RSA PRIVATE KEY", rk.pkcs1())}, roots)
	}
	spki("good", bigNum(rk.n), num(rk.e), nil)
	spki("e other", bigNum(rk.n), num(3), nil)
	spki("e zero", bigNum(rk.n), num(0), nil)
	spki("e negative", bigNum(rk.n), num(-3), nil)
	spki("e huge", bigNum(rk.n), bigNum(new(big.Int).Lsh(one, 64)), nil)
	spki("e large", bigNum(rk.n), num(1<<40+1), nil)
	spki("n negative", bigNum(new(big.Int).Neg(rk.n)), num(rk.e), nil)
	spki("n zero", num(0), num(rk.e), nil)
	spki("n padded", tlv(2, []byte{0, 0}, rk.n.Bytes()), num(rk.e), nil)
	spki("without null", bigNum(rk.n), num(rk.e), seq(oid(1, 2, 840, 113549, 1, 1, 1)))
	spki("null with contents", bigNum(rk.n), num(rk.e), seq(oid(1, 2, 840, 113549, 1, 1, 1), []byte{5, 1, 0}))
	spki("null and more", bigNum(rk.n), num(rk.e), seq(oid(1, 2, 840, 113549, 1, 1, 1), null(), null()))
	spki("as pss", bigNum(rk.n), num(rk.e), seq(oid(1, 2, 840, 113549, 1, 1, 10)))
	spki("three numbers", bigNum(rk.n), cat(num(rk.e), num(5)), nil)
}

func closePrimes() *Key {
	return cached("close", func() *Key {
		p := new(big.Int).Set(rsaKey(1024, "close").p)
		q := new(big.Int).Add(p, big.NewInt(2))
		one := big.NewInt(1)
		e := big.NewInt(65537)
		for {
			m := new(big.Int).Sub(q, one)
			if q.ProbablyPrime(10) && new(big.Int).GCD(nil, nil, m, e).Cmp(one) == 0 {
				break
			}
			q.Add(q, big.NewInt(2))
		}
		n := new(big.Int).Mul(p, q)
		phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
		return &Key{kind: "rsa", n: n, d: new(big.Int).ModInverse(e, phi), p: p, q: q, e: 65537, spki: rsaSPKI(bigNum(n), num(65537)), defaultHash: "sha256"}
	})
}

func addPEM(b *book) {
	k := std()
	leaf, inter, key := string(k.leafPEM), string(k.interPE), string(k.keyPEM)
	roots := parts{k.rootPEM}
	text := func(name, cert, key string) {
		b.add("pem "+name, parts{[]byte(cert)}, parts{[]byte(key)}, roots)
	}
	// Each change is tried on every block: what hides the leaf, the intermediate or the key.
	change := func(name string, f func(string) string) {
		text(name+" (leaf)", f(leaf)+inter, key)
		text(name+" (intermediate)", leaf+f(inter), key)
		text(name+" (key)", leaf+inter, f(key))
		text(name+" (certificate field)", f(leaf+inter), key)
	}
	label := func(s string) string { return strings.Split(strings.SplitN(s, "-----BEGIN ", 2)[1], "-----")[0] }
	change("as it should be", func(s string) string { return s })
	change("byte order mark", func(s string) string { return "\xef\xbb\xbf" + s })
	change("line before", func(s string) string { return "text before\n" + s })
	change("text before on the line", func(s string) string { return "text " + s })
	change("indented", func(s string) string { return "  " + strings.ReplaceAll(s, "\n", "\n  ") })
	change("indented body", func(s string) string {
		lines := strings.Split(s, "\n")
		for i := 1; i < len(lines)-2; i++ {
			lines[i] = "\t " + lines[i]
		}
		return strings.Join(lines, "\n")
	})
	change("CRLF", func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") })
	change("CR only", func(s string) string { return strings.ReplaceAll(s, "\n", "\r") })
	change("LF CR", func(s string) string { return strings.ReplaceAll(s, "\n", "\n\r") })
	change("no final newline", func(s string) string { return strings.TrimRight(s, "\n") })
	change("blank lines", func(s string) string { return strings.ReplaceAll(s, "\n", "\n\n") })
	change("blanks at line ends", func(s string) string { return strings.ReplaceAll(s, "\n", " \t\n") })
	change("vertical tab at line ends", func(s string) string { return strings.ReplaceAll(s, "\n", "\v\n") })
	change("header", func(s string) string { return strings.Replace(s, "-----\n", "-----\nProc-Type: 4,CLEAR\n\n", 1) })
	change("header without blank line", func(s string) string { return strings.Replace(s, "-----\n", "-----\nA: b\n", 1) })
	change("header with blank before", func(s string) string { return strings.Replace(s, "-----\n", "-----\n\nA: b\n\n", 1) })
	change("header twice", func(s string) string { return strings.Replace(s, "-----\n", "-----\nA: b\nA: c\n:\n", 1) })
	change("colon before the END line", func(s string) string { return strings.Replace(s, "-----END", "a:\n-----END", 1) })
	change("only headers", func(s string) string {
		l := label(s)
		return "-----BEGIN " + l + "-----\nA: b\n-----END " + l + "-----\n" + s
	})
	change("header swallows END", func(s string) string {
		l := label(s)
		return "-----BEGIN " + l + "-----\nA: b\n-----END " + l + ": x-----\n" + s
	})
	change("BEGIN twice", func(s string) string { return "-----BEGIN " + label(s) + "-----\n" + s })
	change("BEGIN twice with text", func(s string) string { return "-----BEGIN " + label(s) + "-----\nAAAA\n" + s })
	change("END before", func(s string) string { return "\n-----END " + label(s) + "-----\n" + s })
	change("END twice", func(s string) string { return s + "-----END " + label(s) + "-----\n" })
	change("END with another label", func(s string) string { return strings.Replace(s, "-----END ", "-----END X", 1) })
	change("END indented", func(s string) string { return strings.Replace(s, "-----END ", " -----END ", 1) })
	change("END with text after", func(s string) string { return strings.TrimRight(s, "\n") + "text\n" })
	change("END with blanks after", func(s string) string { return strings.TrimRight(s, "\n") + " \t\n" })
	change("END with CR after", func(s string) string { return strings.TrimRight(s, "\n") + "\r" })
	change("END with four dashes", func(s string) string { return strings.TrimRight(s, "-\n") + "----\n" })
	change("END with six dashes", func(s string) string { return strings.TrimRight(s, "\n") + "-\n" })
	change("END missing", func(s string) string { return strings.Split(s, "-----END")[0] })
	change("BEGIN missing", func(s string) string { return strings.SplitN(s, "\n", 2)[1] })
	change("BEGIN with four dashes", func(s string) string { return s[1:] })
	change("BEGIN with six dashes", func(s string) string { return "-" + s })
	change("BEGIN with four dashes at the end", func(s string) string { return strings.Replace(s, "-----\n", "----\n", 1) })
	change("BEGIN with six dashes at the end", func(s string) string { return strings.Replace(s, "-----\n", "------\n", 1) })
	change("BEGIN and body on a line", func(s string) string { return strings.Replace(s, "-----\n", "-----", 1) })
	change("BEGIN with blanks after", func(s string) string { return strings.Replace(s, "-----\n", "----- \t\n", 1) })
	change("two blanks in BEGIN", func(s string) string { return strings.Replace(s, "BEGIN ", "BEGIN  ", 1) })
	change("END on the body's line", func(s string) string { return strings.Replace(s, "\n-----END", "-----END", 1) })
	change("lower case", func(s string) string {
		return strings.ReplaceAll(s, label(s), strings.ToLower(label(s)))
	})
	change("another label", func(s string) string { return strings.ReplaceAll(s, label(s), "X509 "+label(s)) })
	change("TRUSTED label", func(s string) string { return strings.ReplaceAll(s, label(s), "TRUSTED "+label(s)) })
	change("label with a blank after", func(s string) string { return strings.ReplaceAll(s, label(s), label(s)+" ") })
	change("empty label", func(s string) string { return strings.ReplaceAll(s, label(s), "") })
	body := func(f func(string) string) func(string) string {
		return func(s string) string {
			i, j := strings.Index(s, "\n")+1, strings.Index(s, "-----END")
			return s[:i] + f(s[i:j]) + s[j:]
		}
	}
	change("one line", body(func(s string) string { return strings.ReplaceAll(s, "\n", "") + "\n" }))
	change("76 columns", body(func(s string) string {
		s = strings.ReplaceAll(s, "\n", "")
		var out string
		for len(s) > 76 {
			out, s = out+s[:76]+"\n", s[76:]
		}
		return out + s + "\n"
	}))
	change("a column", body(func(s string) string {
		return strings.Join(strings.Split(strings.ReplaceAll(s, "\n", ""), ""), "\n") + "\n"
	}))
	change("padding removed", body(func(s string) string { return strings.ReplaceAll(s, "=", "") }))
	change("padding added", body(func(s string) string { return strings.TrimRight(s, "\n") + "=\n" }))
	change("padding doubled", body(func(s string) string { return strings.TrimRight(s, "\n") + "====\n" }))
	change("padding on its own line", body(func(s string) string { return strings.Replace(s, "=", "\n=", 1) }))
	change("padding in the middle", body(func(s string) string { return s[:64] + "=" + s[64:] }))
	change("url alphabet", body(func(s string) string { return strings.NewReplacer("+", "-", "/", "_").Replace(s) }))
	change("bad character", body(func(s string) string { return s[:10] + "!" + s[11:] }))
	change("NUL inside", body(func(s string) string { return s[:10] + "\x00" + s[10:] }))
	change("dots inside", body(func(s string) string { return s[:10] + "..." + s[10:] }))
	change("character missing", body(func(s string) string { return s[1:] }))
	change("four characters missing", body(func(s string) string { return s[4:] }))
	change("line missing", body(func(s string) string { return s[65:] }))
	change("empty body", body(func(s string) string { return "" }))
	change("body of a newline", body(func(s string) string { return "\n" }))
	change("text after the last", func(s string) string { return s + "text\nmore\n" })
	change("NUL after", func(s string) string { return s + "\x00" })
	change("escaped newlines", func(s string) string { return strings.ReplaceAll(s, "\n", "\\n") })
	change("quoted", func(s string) string { return "\"" + s + "\"" })
	change("base64 of the text", func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) })
	change("UTF-16", func(s string) string {
		var out []byte
		for _, c := range []byte(s) {
			out = append(out, c, 0)
		}
		return string(out)
	})
	change("a broken block before", func(s string) string {
		return "-----BEGIN " + label(s) + "-----\n!!!!\n-----END " + label(s) + "-----\n" + s
	})
	change("an empty block before", func(s string) string {
		return "-----BEGIN " + label(s) + "-----\n-----END " + label(s) + "-----\n" + s
	})
	change("another kind before", func(s string) string { return "-----BEGIN X-----\nAAAA\n-----END X-----\n" + s })
	change("a mismatched block before", func(s string) string {
		return "-----BEGIN " + label(s) + "-----\nAAAA\n-----END X-----\n" + s
	})
	// Non-zero bits behind the padding are let through.
	text("stray bits in padding", strayBits(leaf)+inter, strayBits(key))
	text("intermediate is not a certificate", leaf+string(crt([]byte("nonsense"))), key)
	text("intermediate is empty", leaf+string(crt(nil)), key)
	text("intermediate given twice", leaf+inter+inter, key)
	text("leaf given twice", leaf+leaf+inter, key)
	text("root in the chain", leaf+inter+string(k.rootPEM), key)
	text("order reversed", inter+leaf, key)
	text("root before intermediate", leaf+string(k.rootPEM)+inter, key)
	text("no intermediate", leaf, key)
	text("broken block between", leaf+"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"+inter, key)
	text("unrelated certificate after", leaf+inter+string(crt(rootSpec(nameOf("Elsewhere"), ecKey("P-256", "other")).sign(ecKey("P-256", "other")))), key)
	text("a CRL after", leaf+inter+string(block("X509 CRL", []byte{1, 2, 3})), key)
	text("a trailing octet after the intermediate", leaf+string(crt(append(k.inter.sign(k.rk), 0))), key)
	text("a trailing octet after the leaf", string(crt(append(k.leaf.sign(k.ik), 0)))+inter, key)
	text("two certificates in one block", string(crt(append(k.leaf.sign(k.ik), k.inter.sign(k.rk)...))), key)

	root := string(k.rootPEM)
	anchors := func(name, root string) {
		b.add("anchors "+name, parts{k.leafPEM, k.interPE}, parts{k.keyPEM}, parts{[]byte(root)})
	}
	anchors("none", "")
	anchors("with a header", strings.Replace(root, "-----\n", "-----\nA: b\n\n", 1))
	anchors("another label", strings.ReplaceAll(root, "CERTIFICATE", "TRUSTED CERTIFICATE"))
	anchors("after nonsense", string(crt([]byte("x")))+root)
	anchors("twice", root+root)
	anchors("with trailing data", string(crt(append(k.root.sign(k.rk), 0))))
	anchors("another", string(crt(rootSpec(nameOf("Elsewhere"), ecKey("P-256", "other")).sign(ecKey("P-256", "other")))))
}

func strayBits(s string) string {
	i := strings.Index(s, "=")
	if i < 0 {
		return s
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	at := strings.IndexByte(alphabet, s[i-1])
	return s[:i-1] + string(alphabet[at|1]) + s[i:]
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
