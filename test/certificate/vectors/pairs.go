package main

import (
	"bytes"
	"fmt"
	"math/big"
	"strings"
)

// Private keys, in every form that Go takes and some that it does not, and public keys in certificates.

func addKeys(b *book) {
	k := std()
	all := []*Key{rsaKey(2048, "leaf"), rsaKey(1024, "leaf"), rsaKey(512, "leaf"), rsaKeyE(1024, 3, "leaf"), rsaKeyE(1024, 1<<31-1, "leaf"), rsaKeyE(1024, 1<<33+1, "leaf"), rsaKey(1031, "leaf"),
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
				if label != "PRIVATE KEY" && key != all[1] && key != ecKey("P-256", "leaf") {
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
	for n := 1; n <= 2; n++ {
		loose := strings.TrimRight(strings.ReplaceAll(string(block("PRIVATE KEY", append(k.lk.pkcs8(), make([]byte, 3+n-len(k.lk.pkcs8())%3)...))), "=", ""), "\n") + "\n"
		b.add(fmt.Sprint("key with octets after and without padding ", n), chain, parts{[]byte(loose)}, roots)
	}
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
	for name, inner := range []([]byte){ctx(0), prim(0, nil), ctx(1), ctx(0, []byte{6}), ctx(0, ctx(0)), ctx(2), []byte{0xa0}, []byte{0xa1, 0x80}, cat(ctx(0), ctx(1, bits(0, k.lk.point()))), cat(ctx(0, null()), ctx(1, bits(0, k.lk.point()))), ctx(1, octets([]byte("x"))), ctx(1, bits(0, nil)), []byte{0xa1, 3, 3, 9, 0}, []byte{0xbf, 0x1f, 0}, []byte{0x1f, 5, 0}, []byte{0xa0, 0x81, 2, 6, 0}, []byte{0xa0, 0x82, 0, 2, 6, 0}} {
		p8(fmt.Sprint("optional fields ", name), seq(num(0), alg(k.lk.curveOID()), octets(seq(num(1), octets(scalar), inner))))
	}
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
	// P-521 leaves room above p, so a coordinate can be given unreduced.
	wide := ecKey("P-521", "leaf")
	field := wide.ec.Params().P
	x, y := new(big.Int).SetBytes(wide.point()[1:67]), new(big.Int).SetBytes(wide.point()[67:])
	fill := func(n *big.Int) []byte { return n.FillBytes(make([]byte, 66)) }
	pk("x unreduced", ecSPKI("P-521", cat([]byte{4}, fill(new(big.Int).Add(x, field)), fill(y))))
	pk("y unreduced", ecSPKI("P-521", cat([]byte{4}, fill(x), fill(new(big.Int).Add(y, field)))))
	pk("y negated", ecSPKI("P-521", cat([]byte{4}, fill(x), fill(new(big.Int).Sub(field, y)))))
	pk("padding bits", seq(ecAlg, bits(4, append(append([]byte(nil), point[:64]...), point[64]&0xf0))))
	for by := uint(1); by <= 6; by++ {
		pk(fmt.Sprint("shifted by ", by), seq(ecAlg, bits(byte(by), shifted(point, by))))
	}
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
	put("wrong d with exponents that fit it", func(x *numbers) {
		d := add(rk.d, big.NewInt(2))
		x.d, x.dp, x.dq = bigNum(d), bigNum(new(big.Int).Mod(d, sub(rk.p, one))), bigNum(new(big.Int).Mod(d, sub(rk.q, one)))
	})
	put("another p, all else but n fitting it", func(x *numbers) {
		p := rsaKey(1024, "ca").p
		d := new(big.Int).ModInverse(big.NewInt(rk.e), new(big.Int).Mul(sub(p, one), sub(rk.q, one)))
		x.p, x.d, x.dp, x.dq = bigNum(p), bigNum(d), bigNum(new(big.Int).Mod(d, sub(p, one))), bigNum(new(big.Int).Mod(d, sub(rk.q, one)))
		x.qi = bigNum(new(big.Int).ModInverse(rk.q, p))
	})
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
		b.add("rsa spki "+name+" further", parts{k.leafPEM, k.interPE, crt(der)}, parts{k.keyPEM}, roots)
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
