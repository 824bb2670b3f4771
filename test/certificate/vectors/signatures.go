package main

import (
	"crypto/sha256"
	"encoding/asn1"
	"fmt"
	"math/big"
)

// Signatures: algorithms, their identifiers and values, and who may sign.

func addSignatures(b *book) {
	k := std()
	host := dns(host)
	type alg struct {
		key  *Key
		hash string
		pss  bool
	}
	r2, r1, r5 := rsaKey(2048, "ca"), rsaKey(1024, "ca"), rsaKey(512, "ca")
	algs := []alg{{r2, "md5", false}, {r2, "sha1", false}, {r2, "sha256", false}, {r2, "sha384", false}, {r2, "sha512", false}, {r2, "sha256", true}, {r2, "sha384", true}, {r2, "sha512", true}, {r1, "sha256", false}, {r1, "sha384", true}, {r5, "sha256", false}, {rsaKey(1023, "ca"), "sha256", false}, {rsaKey(1025, "ca"), "sha256", false}, {rsaKey(1025, "ca"), "sha256", true}, {rsaKey(1031, "ca"), "sha256", true}, {rsaKeyE(1024, 3, "ca"), "sha256", false}, {rsaKeyE(1024, 1<<31-1, "ca"), "sha256", false}, {rsaKeyE(1024, 1<<33+1, "ca"), "sha256", false}, {rsaKeyE(1024, 1<<33+1, "ca"), "sha256", true},
		{ecKey("P-224", "ca"), "sha256", false}, {ecKey("P-224", "ca"), "sha512", false}, {ecKey("P-256", "ca"), "sha1", false}, {ecKey("P-256", "ca"), "sha256", false}, {ecKey("P-256", "ca"), "sha384", false}, {ecKey("P-256", "ca"), "sha512", false}, {ecKey("P-384", "ca"), "sha256", false}, {ecKey("P-384", "ca"), "sha384", false}, {ecKey("P-384", "ca"), "sha512", false}, {ecKey("P-521", "ca"), "sha256", false}, {ecKey("P-521", "ca"), "sha512", false}, {edKey("ca"), "", false}}
	for _, a := range algs {
		what := fmt.Sprint("signature ", a.key.label, " ", a.hash, " pss=", a.pss)
		ca := rootSpec(nameOf("CA"), a.key)
		if a.key.kind == "rsa" || a.hash != "" {
			ca.hash = "sha256"
		}
		leaf := leafSpec(k.lk, nameOf("CA"), a.key, host)
		leaf.hash, leaf.pss = a.hash, a.pss
		b.add(what, parts{crt(leaf.sign(a.key))}, parts{k.keyPEM}, parts{crt(ca.sign(a.key))})
		// The anchor's own signature isn't looked at.
		own := ca
		own.hash, own.pss = a.hash, a.pss
		good := leafSpec(k.lk, nameOf("CA"), a.key, host)
		if a.key != r5 {
			b.add(what+" (anchor's own)", parts{crt(good.sign(a.key))}, parts{k.keyPEM}, parts{crt(own.sign(a.key))})
		}
		flip := leaf.with(func(s *Spec) {
			s.sig = func(sig []byte) []byte { out := append([]byte(nil), sig...); out[len(out)/2] ^= 4; return out }
		})
		b.add(what+" (flipped)", parts{crt(flip.sign(a.key))}, parts{k.keyPEM}, parts{crt(ca.sign(a.key))})
	}
	// Algorithm identifiers over a signature that would hold.
	rca := crt(rootSpec(nameOf("CA"), r2).sign(r2))
	as := func(name string, id []byte, hash string, pss bool) {
		leaf := leafSpec(k.lk, nameOf("CA"), r2, host)
		leaf.alg, leaf.hash, leaf.pss = id, hash, pss
		b.add("signature identifier "+name, parts{crt(leaf.sign(r2))}, parts{k.keyPEM}, parts{rca})
	}
	rsaOID := func(n int) []byte { return oid(1, 2, 840, 113549, 1, 1, n) }
	as("sha256 without null", seq(rsaOID(11)), "sha256", false)
	as("sha256 with junk", seq(rsaOID(11), octets([]byte("x"))), "sha256", false)
	as("sha384 for sha256", seq(rsaOID(12), null()), "sha256", false)
	as("ecdsa over rsa", seq(oid(1, 2, 840, 10045, 4, 3, 2)), "sha256", false)
	as("ed25519 over rsa", seq(oid(1, 3, 101, 112)), "sha256", false)
	as("dsa sha1", seq(oid(1, 2, 840, 10040, 4, 3)), "sha256", false)
	as("dsa sha256", seq(oid(2, 16, 840, 1, 101, 3, 4, 3, 2)), "sha256", false)
	as("md2", seq(rsaOID(2), null()), "sha256", false)
	as("iso sha1", seq(oid(1, 3, 14, 3, 2, 29)), "sha1", false)
	as("sha224", seq(rsaOID(14), null()), "sha256", false)
	as("sha3", seq(oid(2, 16, 840, 1, 101, 3, 4, 3, 14)), "sha256", false)
	as("bare rsa", seq(rsaOID(1), null()), "sha256", false)
	pss := func(name string, params []byte) { as("pss "+name, seq(rsaOID(10), params), "sha256", true) }
	h := func(hash string, params []byte) []byte { return seq(hashOIDs[hash], params) }
	mgf := func(inner []byte) []byte { return seq(rsaOID(8), inner) }
	h256 := h("sha256", null())
	pss("as it should be", pssParams("sha256", 32))
	pss("salt 20", pssParams("sha256", 20))
	pss("salt 0", pssParams("sha256", 0))
	pss("without parameters", nil)
	pss("null", null())
	pss("empty", seq())
	pss("hash without null", seq(ctx(0, h("sha256", nil)), ctx(1, mgf(h256)), ctx(2, num(32))))
	pss("mgf hash without null", seq(ctx(0, h256), ctx(1, mgf(h("sha256", nil))), ctx(2, num(32))))
	pss("hashes differ", seq(ctx(0, h256), ctx(1, mgf(h("sha384", null()))), ctx(2, num(32))))
	pss("sha1", seq(ctx(0, h("sha1", null())), ctx(1, mgf(h("sha1", null()))), ctx(2, num(20))))
	pss("hash left out", seq(ctx(1, mgf(h256)), ctx(2, num(32))))
	pss("mgf left out", seq(ctx(0, h256), ctx(2, num(32))))
	pss("salt left out", seq(ctx(0, h256), ctx(1, mgf(h256))))
	pss("trailer 1", seq(ctx(0, h256), ctx(1, mgf(h256)), ctx(2, num(32)), ctx(3, num(1))))
	pss("trailer 2", seq(ctx(0, h256), ctx(1, mgf(h256)), ctx(2, num(32)), ctx(3, num(2))))
	pss("trailer empty", seq(ctx(0, h256), ctx(1, mgf(h256)), ctx(2, num(32)), ctx(3)))
	pss("trailer octets", seq(ctx(0, h256), ctx(1, mgf(h256)), ctx(2, num(32)), ctx(3, octets([]byte{1}))))
	pss("something after", seq(ctx(0, h256), ctx(1, mgf(h256)), ctx(2, num(32)), null()))
	pss("mgf other", seq(ctx(0, h256), ctx(1, seq(rsaOID(9), h256)), ctx(2, num(32))))
	pss("mgf without hash", seq(ctx(0, h256), ctx(1, seq(rsaOID(8))), ctx(2, num(32))))
	pss("hash with junk", seq(ctx(0, h("sha256", octets([]byte("x")))), ctx(1, mgf(h256)), ctx(2, num(32))))
	pss("hash with null and junk", seq(ctx(0, seq(hashOIDs["sha256"], null(), null())), ctx(1, mgf(h256)), ctx(2, num(32))))
	pss("tags primitive", seq(prim(0, h256), prim(1, mgf(h256)), prim(2, num(32))))
	pss("salt padded", seq(ctx(0, h256), ctx(1, mgf(h256)), ctx(2, []byte{2, 2, 0, 32})))
	pss("outer length short", seq([]byte{0xa0, 2}, h256, ctx(1, mgf(h256)), ctx(2, num(32))))
	pss("long form length", cat([]byte{0x30, 0x81}, pssParams("sha256", 32)[1:]))

	// ECDSA signature values.
	eca := ecKey("P-256", "ca")
	ecroot := crt(rootSpec(nameOf("CA"), eca).sign(eca))
	n := eca.ec.Params().N
	val := func(name string, f func(r, s *big.Int) []byte) {
		leaf := leafSpec(k.lk, nameOf("CA"), eca, host)
		leaf.sig = func(sig []byte) []byte {
			var rs struct{ R, S *big.Int }
			if _, err := asn1.Unmarshal(sig, &rs); err != nil {
				panic(err)
			}
			return f(rs.R, rs.S)
		}
		b.add("ecdsa "+name, parts{crt(leaf.sign(eca))}, parts{k.keyPEM}, parts{ecroot})
	}
	val("as it should be", func(r, s *big.Int) []byte { return seq(bigNum(r), bigNum(s)) })
	val("other s", func(r, s *big.Int) []byte { return seq(bigNum(r), bigNum(new(big.Int).Sub(n, s))) })
	val("r plus n", func(r, s *big.Int) []byte { return seq(bigNum(new(big.Int).Add(r, n)), bigNum(s)) })
	val("s plus n", func(r, s *big.Int) []byte { return seq(bigNum(r), bigNum(new(big.Int).Add(s, n))) })
	val("zero", func(r, s *big.Int) []byte { return seq(num(0), num(0)) })
	val("one", func(r, s *big.Int) []byte { return seq(num(1), num(1)) })
	val("negative", func(r, s *big.Int) []byte { return seq(bigNum(new(big.Int).Neg(r)), bigNum(s)) })
	val("padded", func(r, s *big.Int) []byte {
		return seq(tlv(2, []byte{0, 0}, r.Bytes()), bigNum(s))
	})
	val("unsigned", func(r, s *big.Int) []byte { return seq(tlv(2, r.Bytes()), tlv(2, s.Bytes())) })
	val("trailing", func(r, s *big.Int) []byte { return cat(seq(bigNum(r), bigNum(s)), null()) })
	val("trailing inside", func(r, s *big.Int) []byte { return seq(bigNum(r), bigNum(s), null()) })
	val("long length", func(r, s *big.Int) []byte { x := seq(bigNum(r), bigNum(s)); return cat([]byte{0x30, 0x81}, x[1:]) })
	val("set", func(r, s *big.Int) []byte { return set(bigNum(r), bigNum(s)) })
	val("raw", func(r, s *big.Int) []byte { return cat(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))) })
	val("empty", func(r, s *big.Int) []byte { return nil })
	val("swapped", func(r, s *big.Int) []byte { return seq(bigNum(s), bigNum(r)) })

	// RSA signature values.
	rval := func(name string, key *Key, f func(sig []byte) []byte) {
		leaf := leafSpec(k.lk, nameOf("CA"), key, host)
		leaf.sig = f
		b.add("rsa signature "+name, parts{crt(leaf.sign(key))}, parts{k.keyPEM}, parts{crt(rootSpec(nameOf("CA"), key).sign(key))})
	}
	rval("as it should be", r1, func(s []byte) []byte { return s })
	rval("padded", r1, func(s []byte) []byte { return append([]byte{0}, s...) })
	rval("cut", r1, func(s []byte) []byte { return s[:len(s)-1] })
	rval("plus n", r1, func(s []byte) []byte { return new(big.Int).Add(new(big.Int).SetBytes(s), r1.n).Bytes() })
	rval("zero", r1, func(s []byte) []byte { return make([]byte, len(s)) })
	rval("empty", r1, func(s []byte) []byte { return nil })
	raw := func(name string, em func(size int, d []byte) []byte) {
		leaf := leafSpec(k.lk, nameOf("CA"), r1, host)
		var tbs []byte
		leaf.tbs = func(t []byte) []byte { tbs = t; return t }
		leaf.sig = func([]byte) []byte {
			d := sha256.Sum256(tbs)
			return new(big.Int).Exp(new(big.Int).SetBytes(em(128, d[:])), r1.d, r1.n).FillBytes(make([]byte, 128))
		}
		b.add("rsa encoding "+name, parts{crt(leaf.sign(r1))}, parts{k.keyPEM}, parts{crt(rootSpec(nameOf("CA"), r1).sign(r1))})
	}
	pad := func(size int, t []byte) []byte {
		em := make([]byte, size)
		em[1] = 1
		for i := 2; i < size-len(t)-1; i++ {
			em[i] = 0xff
		}
		copy(em[size-len(t):], t)
		return em
	}
	raw("as it should be", func(n int, d []byte) []byte { return pad(n, seq(h256, octets(d))) })
	raw("without null", func(n int, d []byte) []byte { return pad(n, seq(h("sha256", nil), octets(d))) })
	raw("bare digest", func(n int, d []byte) []byte { return pad(n, d) })
	raw("long length", func(n int, d []byte) []byte { x := seq(h256, octets(d)); return pad(n, cat([]byte{0x30, 0x81}, x[1:])) })
	raw("junk after", func(n int, d []byte) []byte { return pad(n, cat(seq(h256, octets(d)), []byte{1, 2})) })
	raw("short padding", func(n int, d []byte) []byte {
		t := seq(h256, octets(d))
		em := make([]byte, n)
		copy(em[1:], []byte{1, 255, 255, 255, 255, 255, 255, 255, 255, 0})
		copy(em[11:], t)
		return em
	})
	raw("block type 2", func(n int, d []byte) []byte { x := pad(n, seq(h256, octets(d))); x[1] = 2; return x })

	// Odd RSA issuers.
	odd := func(name string, spki []byte) {
		ca := rootSpec(nameOf("CA"), r1)
		ca.spki = spki
		leaf := leafSpec(k.lk, nameOf("CA"), r1, host)
		b.add("rsa issuer "+name, parts{crt(leaf.sign(r1))}, parts{k.keyPEM}, parts{crt(ca.sign(r1))})
	}
	odd("as it should be", r1.spki)
	odd("even modulus", rsaSPKI(bigNum(new(big.Int).Add(r1.n, big.NewInt(1))), num(65537)))
	odd("e 1", rsaSPKI(bigNum(r1.n), num(1)))
	odd("e 2", rsaSPKI(bigNum(r1.n), num(2)))
	odd("e large", rsaSPKI(bigNum(r1.n), num(1<<32+1)))
	odd("e 2^31-1", rsaSPKI(bigNum(r1.n), num(1<<31-1)))
	odd("e 2^31+1", rsaSPKI(bigNum(r1.n), num(1<<31+1)))
	odd("modulus 1", rsaSPKI(num(1), num(3)))
	odd("unknown algorithm", seq(seq(oid(1, 2, 3)), bits(0, []byte{1})))
	odd("x25519", seq(seq(oid(1, 3, 101, 110)), bits(0, make([]byte, 32))))
	odd("dsa", seq(seq(oid(1, 2, 840, 10040, 4, 1), seq(num(23), num(11), num(4))), bits(0, num(8))))

	// Ed25519 signature values.
	ed := edKey("ca")
	eval := func(name string, f func([]byte) []byte) {
		leaf := leafSpec(k.lk, nameOf("CA"), ed, host)
		leaf.sig = f
		b.add("ed25519 signature "+name, parts{crt(leaf.sign(ed))}, parts{k.keyPEM}, parts{crt(rootSpec(nameOf("CA"), ed).sign(ed))})
	}
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	eval("as it should be", func(s []byte) []byte { return s })
	for name, id := range [][]byte{seq(oid(1, 3, 101, 112), null()), seq(oid(1, 3, 101, 112), octets()), seq(oid(1, 3, 101, 113)), seq(oid(1, 3, 101, 110))} {
		leaf := leafSpec(k.lk, nameOf("CA"), ed, host)
		leaf.alg = id
		b.add(fmt.Sprint("ed25519 identifier ", name), parts{crt(leaf.sign(ed))}, parts{k.keyPEM}, parts{crt(rootSpec(nameOf("CA"), ed).sign(ed))})
	}
	eval("s plus order", func(s []byte) []byte {
		le := append([]byte(nil), s[32:]...)
		reverse(le)
		x := new(big.Int).Add(new(big.Int).SetBytes(le), order).FillBytes(make([]byte, 32))
		reverse(x)
		return cat(s[:32], x)
	})
	eval("long", func(s []byte) []byte { return append(append([]byte(nil), s...), 0) })
	eval("short", func(s []byte) []byte { return s[:63] })
	// A key of small order signs everything with R = identity.
	for i, point := range [][]byte{append([]byte{1}, make([]byte, 31)...), make([]byte, 32), append(append([]byte{1}, make([]byte, 30)...), 0x80), {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, {0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}} {
		ca := rootSpec(nameOf("CA"), ed)
		ca.spki = seq(seq(oid(1, 3, 101, 112)), bits(0, point))
		leaf := leafSpec(k.lk, nameOf("CA"), ed, host)
		leaf.sig = func([]byte) []byte { return append([]byte{1}, make([]byte, 63)...) }
		b.add(fmt.Sprint("ed25519 small order key ", i), parts{crt(leaf.sign(ed))}, parts{k.keyPEM}, parts{crt(ca.sign(ed))})
	}

	// Who may sign.
	sign := func(name string, exts ...[]byte) {
		b.add("signer "+name, parts{k.leafPEM, crt(k.inter.with(onlyExt(exts...)).sign(k.rk))}, parts{k.keyPEM}, parts{k.rootPEM})
		b.add("signer "+name+" (root)", parts{k.leafPEM, k.interPE}, parts{k.keyPEM}, parts{crt(k.root.with(onlyExt(exts...)).sign(k.rk))})
	}
	sign("without anything")
	sign("with key usage only", extKU(5))
	sign("without key usage", extBC(true, -1))
	sign("with crl signing only", extBC(true, -1), extKU(6))
	sign("with digital signature only", extBC(true, -1), extKU(0))
	sign("with empty key usage", extBC(true, -1), extKU())
	sign("with decipher only", extBC(true, -1), extKU(8))
	sign("not a ca, may sign", extBC(false, -1), extKU(5))
	b.add("signer is another leaf", parts{crt(leafSpec(ecKey("P-256", "other"), nameOf(host2), k.lk).sign(k.lk)), crt(k.leaf.with(func(s *Spec) { s.subject = nameOf(host2) }).sign(k.ik)), k.interPE}, parts{block("PRIVATE KEY", ecKey("P-256", "other").pkcs8())}, parts{k.rootPEM})
}

const host2 = "other.example.test"

func reverse(b []byte) {
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
}
