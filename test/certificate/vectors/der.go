package main

import (
	"encoding/asn1"
	"math/big"
	"time"
)

// DER by hand: every octet of a certificate can be set, wrong ones too.

func tlv(tag byte, parts ...[]byte) []byte {
	body := cat(parts...)
	out := []byte{tag}
	switch n := len(body); {
	case n < 0x80:
		out = append(out, byte(n))
	case n < 0x100:
		out = append(out, 0x81, byte(n))
	case n < 0x10000:
		out = append(out, 0x82, byte(n>>8), byte(n))
	default:
		out = append(out, 0x83, byte(n>>16), byte(n>>8), byte(n))
	}
	return append(out, body...)
}

func cat(parts ...[]byte) []byte {
	var out []byte
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

func seq(parts ...[]byte) []byte         { return tlv(0x30, parts...) }
func set(parts ...[]byte) []byte         { return tlv(0x31, parts...) }
func octets(parts ...[]byte) []byte      { return tlv(0x04, parts...) }
func str(tag byte, s string) []byte      { return tlv(tag, []byte(s)) }
func bits(pad byte, b []byte) []byte     { return tlv(0x03, []byte{pad}, b) }
func ctx(n byte, parts ...[]byte) []byte { return tlv(0xa0|n, parts...) }
func prim(n byte, body []byte) []byte    { return tlv(0x80|n, body) }
func null() []byte                       { return []byte{5, 0} }

func boolean(v bool) []byte {
	if v {
		return []byte{1, 1, 0xff}
	}
	return []byte{1, 1, 0}
}

func oid(arcs ...int) []byte {
	out, err := asn1.Marshal(asn1.ObjectIdentifier(arcs))
	if err != nil {
		panic(err)
	}
	return out
}

func num(n int64) []byte { return bigNum(big.NewInt(n)) }

func bigNum(n *big.Int) []byte {
	out, err := asn1.Marshal(n)
	if err != nil {
		panic(err)
	}
	return out
}

func utc(t time.Time) []byte { return str(0x17, t.UTC().Format("060102150405Z")) }
func gen(t time.Time) []byte { return str(0x18, t.UTC().Format("20060102150405Z")) }

func when(t time.Time) []byte {
	if y := t.UTC().Year(); y >= 1950 && y < 2050 {
		return utc(t)
	}
	return gen(t)
}

const (
	utf8Tag      = 0x0c
	numericTag   = 0x12
	printableTag = 0x13
	t61Tag       = 0x14
	ia5Tag       = 0x16
	universalTag = 0x1c
	bmpTag       = 0x1e
)

func attr(value []byte, arcs ...int) []byte { return set(seq(oid(arcs...), value)) }
func cn(s string) []byte                    { return attr(str(utf8Tag, s), 2, 5, 4, 3) }
func org(s string) []byte                   { return attr(str(printableTag, s), 2, 5, 4, 10) }
func nameOf(s string) []byte                { return seq(org("Vectors"), cn(s)) }

// ext is one Extension with its fields.
func ext(critical bool, value []byte, arcs ...int) []byte {
	if critical {
		return seq(oid(arcs...), boolean(true), octets(value))
	}
	return seq(oid(arcs...), octets(value))
}

func extSAN(names ...[]byte) []byte { return ext(false, seq(names...), 2, 5, 29, 17) }
func dns(s string) []byte           { return prim(2, []byte(s)) }
func email(s string) []byte         { return prim(1, []byte(s)) }
func uri(s string) []byte           { return prim(6, []byte(s)) }
func ip(b ...byte) []byte           { return prim(7, b) }

func extKU(bitsSet ...int) []byte { return ext(true, kuBits(bitsSet...), 2, 5, 29, 15) }

func kuBits(bitsSet ...int) []byte {
	var b [2]byte
	for _, i := range bitsSet {
		b[i/8] |= 0x80 >> (i % 8)
	}
	body := b[:]
	if b[1] == 0 {
		body = b[:1]
	}
	if len(bitsSet) == 0 {
		return []byte{3, 1, 0}
	}
	pad := byte(0)
	for last := body[len(body)-1]; last&1 == 0; last >>= 1 {
		pad++
	}
	return bits(pad, body)
}

func extBC(ca bool, pathLen int) []byte {
	var parts [][]byte
	if ca {
		parts = append(parts, boolean(true))
	}
	if pathLen >= 0 {
		parts = append(parts, num(int64(pathLen)))
	}
	return ext(true, seq(parts...), 2, 5, 29, 19)
}

var (
	ekuAny    = oid(2, 5, 29, 37, 0)
	ekuServer = oid(1, 3, 6, 1, 5, 5, 7, 3, 1)
	ekuClient = oid(1, 3, 6, 1, 5, 5, 7, 3, 2)
	ekuEmail  = oid(1, 3, 6, 1, 5, 5, 7, 3, 4)
	ekuSGC    = oid(2, 16, 840, 1, 113730, 4, 1)
	ekuOdd    = oid(1, 2, 3, 4, 5)
)

func extEKU(usages ...[]byte) []byte { return ext(false, seq(usages...), 2, 5, 29, 37) }
func extSKI(id []byte) []byte        { return ext(false, octets(id), 2, 5, 29, 14) }
func extAKI(id []byte) []byte        { return ext(false, seq(prim(0, id)), 2, 5, 29, 35) }

// extNC takes GeneralNames; nil leaves a list out.
func extNC(permitted, excluded [][]byte) []byte {
	var parts [][]byte
	for i, list := range [][][]byte{permitted, excluded} {
		if list == nil {
			continue
		}
		var trees []byte
		for _, n := range list {
			trees = append(trees, seq(n)...)
		}
		parts = append(parts, ctx(byte(i), trees))
	}
	return ext(true, seq(parts...), 2, 5, 29, 30)
}

func extPolicies(policies ...[]byte) []byte {
	var list []byte
	for _, p := range policies {
		list = append(list, seq(p)...)
	}
	return ext(false, seq(list), 2, 5, 29, 32)
}

// Spec is a certificate before it is signed; fields hold whole elements.
type Spec struct {
	version  []byte // element, nil for none
	serial   []byte
	alg      []byte // inner AlgorithmIdentifier; nil for the signer's
	outerAlg []byte // nil for the same
	issuer   []byte
	validity []byte // nil: from, to
	from, to time.Time
	subject  []byte
	spki     []byte
	uniqueID []byte
	exts     [][]byte
	rawExts  []byte // replaces exts, with its [3] header
	tail     []byte // after the extensions
	hash     string
	pss      bool
	tbs      func([]byte) []byte // last change before signing
	sig      func([]byte) []byte // change of the signature's octets
	sigBits  func([]byte) []byte // makes the BIT STRING
	end      []byte              // inside the certificate, after the signature
	after    []byte              // after the certificate
}

func (s Spec) sign(by *Key) []byte {
	alg := s.alg
	hash := s.hash
	if hash == "" {
		hash = by.defaultHash
	}
	if alg == nil {
		alg = by.algorithm(hash, s.pss)
	}
	validity := s.validity
	if validity == nil {
		validity = seq(when(s.from), when(s.to))
	}
	exts := s.rawExts
	if exts == nil && s.exts != nil {
		exts = ctx(3, seq(s.exts...))
	}
	tbs := seq(s.version, s.serial, alg, s.issuer, validity, s.subject, s.spki, s.uniqueID, exts, s.tail)
	if s.tbs != nil {
		tbs = s.tbs(tbs)
	}
	signature := by.sign(tbs, hash, s.pss)
	if s.sig != nil {
		signature = s.sig(signature)
	}
	outer := s.outerAlg
	if outer == nil {
		outer = alg
	}
	field := bits(0, signature)
	if s.sigBits != nil {
		field = s.sigBits(signature)
	}
	return append(seq(tbs, outer, field, s.end), s.after...)
}

func (s Spec) with(changes ...func(*Spec)) Spec {
	s.exts = append([][]byte(nil), s.exts...)
	for _, change := range changes {
		change(&s)
	}
	return s
}

func addExt(e ...[]byte) func(*Spec) { return func(s *Spec) { s.exts = append(s.exts, e...) } }
func onlyExt(e ...[]byte) func(*Spec) {
	return func(s *Spec) { s.exts = append([][]byte(nil), e...) }
}
func span(from, to time.Time) func(*Spec) { return func(s *Spec) { s.from, s.to = from, to } }
