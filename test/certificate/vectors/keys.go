package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"fmt"
	"math/big"
	mrand "math/rand"
)

// Key is a private key made from its name alone, so that the vectors come out the same every time.
type Key struct {
	label       string
	kind        string // rsa, ec, ed
	spki        []byte
	ec          *ecdsa.PrivateKey
	ed          ed25519.PrivateKey
	n, d, p, q  *big.Int
	e           int64
	defaultHash string
	id          []byte
}

func seeded(label string) *mrand.Rand {
	sum := sha256.Sum256([]byte(label))
	return mrand.New(mrand.NewSource(int64(binary.BigEndian.Uint64(sum[:8]))))
}

var keyCache = map[string]*Key{}

func cached(label string, make func() *Key) *Key {
	if k, ok := keyCache[label]; ok {
		return k
	}
	k := make()
	k.label = label
	sum := sha1.Sum(k.spki)
	k.id = sum[:]
	keyCache[label] = k
	return k
}

var curveOIDs = map[string][]int{
	"P-224": {1, 3, 132, 0, 33}, "P-256": {1, 2, 840, 10045, 3, 1, 7}, "P-384": {1, 3, 132, 0, 34}, "P-521": {1, 3, 132, 0, 35},
}

func curveByName(name string) elliptic.Curve {
	return map[string]elliptic.Curve{"P-224": elliptic.P224(), "P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}[name]
}

func ecSPKI(curve string, point []byte) []byte {
	return seq(seq(oid(1, 2, 840, 10045, 2, 1), oid(curveOIDs[curve]...)), bits(0, point))
}

func ecKey(curve, label string) *Key {
	return cached(curve+label, func() *Key {
		c := curveByName(curve)
		size := (c.Params().N.BitLen() + 7) / 8
		raw := make([]byte, size)
		seeded(curve + label).Read(raw)
		d := new(big.Int).Mod(new(big.Int).SetBytes(raw), new(big.Int).Sub(c.Params().N, big.NewInt(1)))
		d.Add(d, big.NewInt(1))
		priv, err := ecdsa.ParseRawPrivateKey(c, d.FillBytes(raw))
		if err != nil {
			panic(err)
		}
		point, _ := priv.PublicKey.Bytes()
		hash := map[string]string{"P-224": "sha256", "P-256": "sha256", "P-384": "sha384", "P-521": "sha512"}[curve]
		return &Key{kind: "ec", ec: priv, spki: ecSPKI(curve, point), defaultHash: hash}
	})
}

func edKey(label string) *Key {
	return cached("ed"+label, func() *Key {
		seed := sha256.Sum256([]byte(label))
		priv := ed25519.NewKeyFromSeed(seed[:])
		return &Key{kind: "ed", ed: priv, spki: seq(seq(oid(1, 3, 101, 112)), bits(0, priv.Public().(ed25519.PublicKey)))}
	})
}

func rsaKey(nbits int, label string) *Key { return rsaKeyE(nbits, 65537, label) }

func rsaKeyE(nbits int, e int64, label string) *Key {
	return cached(fmt.Sprint("rsa", nbits, "-", e, label), func() *Key {
		rng := seeded(fmt.Sprint("rsa", nbits, e, label))
		prime := func(n int) *big.Int {
			for {
				buf := make([]byte, (n+7)/8)
				rng.Read(buf)
				p := new(big.Int).SetBytes(buf)
				p.Rsh(p, uint(len(buf)*8-n))
				p.SetBit(p, n-1, 1)
				p.SetBit(p, n-2, 1)
				p.SetBit(p, 0, 1)
				pm := new(big.Int).Sub(p, big.NewInt(1))
				if p.ProbablyPrime(10) && new(big.Int).GCD(nil, nil, pm, big.NewInt(e)).IsInt64() && new(big.Int).GCD(nil, nil, pm, big.NewInt(e)).Int64() == 1 {
					return p
				}
			}
		}
		for {
			p, q := prime((nbits+1)/2), prime(nbits/2)
			n := new(big.Int).Mul(p, q)
			if n.BitLen() != nbits || p.Cmp(q) == 0 {
				continue
			}
			one := big.NewInt(1)
			phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
			d := new(big.Int).ModInverse(big.NewInt(e), phi)
			return &Key{kind: "rsa", n: n, d: d, p: p, q: q, e: e, spki: rsaSPKI(bigNum(n), num(e)), defaultHash: "sha256"}
		}
	})
}

func rsaSPKI(n, e []byte) []byte {
	return seq(seq(oid(1, 2, 840, 113549, 1, 1, 1), null()), bits(0, seq(n, e)))
}

var hashOIDs = map[string][]byte{
	"sha256": oid(2, 16, 840, 1, 101, 3, 4, 2, 1), "sha384": oid(2, 16, 840, 1, 101, 3, 4, 2, 2), "sha512": oid(2, 16, 840, 1, 101, 3, 4, 2, 3),
	"sha1": oid(1, 3, 14, 3, 2, 26), "md5": oid(1, 2, 840, 113549, 2, 5),
}

func pssParams(hash string, salt int64) []byte {
	h := seq(hashOIDs[hash], null())
	return seq(ctx(0, h), ctx(1, seq(oid(1, 2, 840, 113549, 1, 1, 8), h)), ctx(2, num(salt)))
}

func (k *Key) algorithm(hash string, pss bool) []byte {
	switch k.kind {
	case "rsa":
		if pss {
			return seq(oid(1, 2, 840, 113549, 1, 1, 10), pssParams(hash, int64(hashSize(hash))))
		}
		last := map[string]int{"md5": 4, "sha1": 5, "sha256": 11, "sha384": 12, "sha512": 13}[hash]
		return seq(oid(1, 2, 840, 113549, 1, 1, last), null())
	case "ec":
		if hash == "sha1" {
			return seq(oid(1, 2, 840, 10045, 4, 1))
		}
		return seq(oid(1, 2, 840, 10045, 4, 3, map[string]int{"sha256": 2, "sha384": 3, "sha512": 4}[hash]))
	}
	return seq(oid(1, 3, 101, 112))
}

func digest(hash string, data []byte) []byte {
	switch hash {
	case "md5":
		s := md5.Sum(data)
		return s[:]
	case "sha1":
		s := sha1.Sum(data)
		return s[:]
	case "sha384":
		s := sha512.Sum384(data)
		return s[:]
	case "sha512":
		s := sha512.Sum512(data)
		return s[:]
	}
	s := sha256.Sum256(data)
	return s[:]
}

func hashSize(hash string) int { return len(digest(hash, nil)) }

func (k *Key) sign(data []byte, hash string, pss bool) []byte {
	switch k.kind {
	case "ed":
		return ed25519.Sign(k.ed, data)
	case "ec":
		h := map[string]crypto.Hash{"sha1": crypto.SHA1, "sha256": crypto.SHA256, "sha384": crypto.SHA384, "sha512": crypto.SHA512}[hash]
		sig, err := k.ec.Sign(nil, digest(hash, data), h) // RFC 6979
		if err != nil {
			panic(err)
		}
		return sig
	}
	size := (k.n.BitLen() + 7) / 8
	var em []byte
	if pss {
		em = encodePSS(hash, digest(hash, data), k.n.BitLen()-1)
	} else {
		t := seq(seq(hashOIDs[hash], null()), octets(digest(hash, data)))
		em = make([]byte, size)
		em[1] = 1
		for i := 2; i < size-len(t)-1; i++ {
			em[i] = 0xff
		}
		copy(em[size-len(t):], t)
	}
	return new(big.Int).Exp(new(big.Int).SetBytes(em), k.d, k.n).FillBytes(make([]byte, size))
}

// encodePSS is RFC 8017 §9.1.1 with a salt of fixed content.
func encodePSS(hash string, mHash []byte, emBits int) []byte {
	hLen := len(mHash)
	salt := make([]byte, hLen)
	emLen := (emBits + 7) / 8
	h := digest(hash, cat(make([]byte, 8), mHash, salt))
	db := cat(make([]byte, emLen-2*hLen-2), []byte{1}, salt)
	var mask []byte
	for i := uint32(0); len(mask) < len(db); i++ {
		mask = append(mask, digest(hash, binary.BigEndian.AppendUint32(append([]byte(nil), h...), i))...)
	}
	for i := range db {
		db[i] ^= mask[i]
	}
	db[0] &= 0xff >> (8*emLen - emBits)
	return cat(db, h, []byte{0xbc})
}

func (k *Key) crt() (dp, dq, qinv *big.Int) {
	one := big.NewInt(1)
	return new(big.Int).Mod(k.d, new(big.Int).Sub(k.p, one)), new(big.Int).Mod(k.d, new(big.Int).Sub(k.q, one)), new(big.Int).ModInverse(k.q, k.p)
}

// pkcs1 is the RSAPrivateKey structure of an RSA key.
func (k *Key) pkcs1() []byte {
	dp, dq, qinv := k.crt()
	return seq(num(0), bigNum(k.n), num(k.e), bigNum(k.d), bigNum(k.p), bigNum(k.q), bigNum(dp), bigNum(dq), bigNum(qinv))
}

func (k *Key) scalar() []byte {
	b, err := k.ec.Bytes()
	if err != nil {
		panic(err)
	}
	return b
}

func (k *Key) curveOID() []byte { return oid(curveOIDs[k.ec.Curve.Params().Name]...) }

func (k *Key) point() []byte {
	b, _ := k.ec.PublicKey.Bytes()
	return b
}

// sec1 is the ECPrivateKey structure, with or without the curve.
func (k *Key) sec1(withCurve bool) []byte {
	var curve []byte
	if withCurve {
		curve = ctx(0, k.curveOID())
	}
	return seq(num(1), octets(k.scalar()), curve, ctx(1, bits(0, k.point())))
}

func (k *Key) pkcs8() []byte {
	switch k.kind {
	case "rsa":
		return seq(num(0), seq(oid(1, 2, 840, 113549, 1, 1, 1), null()), octets(k.pkcs1()))
	case "ec":
		return seq(num(0), seq(oid(1, 2, 840, 10045, 2, 1), k.curveOID()), octets(k.sec1(false)))
	}
	return seq(num(0), seq(oid(1, 3, 101, 112)), octets(octets(k.ed.Seed())))
}
