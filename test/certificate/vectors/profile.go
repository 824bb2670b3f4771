package main

import (
	"bytes"
	"fmt"
	"strings"
	"time"
)

func addExtensions(b *book) {
	both := func(name string, f ...func(*Spec)) { b.onLeaf("ext "+name, f...); b.onInter("ext "+name, f...) }
	for _, critical := range []bool{false, true} {
		is := fmt.Sprint(" critical=", critical)
		b.onAll("ext unknown"+is, addExt(ext(critical, null(), 1, 2, 3, 4)))
		both("unknown under 2.5.29"+is, addExt(ext(critical, null(), 2, 5, 29, 99)))
		both("issuer alternative name"+is, addExt(ext(critical, seq(dns("x")), 2, 5, 29, 18)))
		both("sct list"+is, addExt(ext(critical, octets([]byte{0, 0}), 1, 3, 6, 1, 4, 1, 11129, 2, 4, 2)))
		both("ct poison"+is, addExt(ext(critical, null(), 1, 3, 6, 1, 4, 1, 11129, 2, 4, 3)))
		both("must staple"+is, addExt(ext(critical, seq(num(5)), 1, 3, 6, 1, 5, 5, 7, 1, 24)))
		both("aia"+is, addExt(ext(critical, seq(seq(oid(1, 3, 6, 1, 5, 5, 7, 48, 1), uri("http://ocsp.example/"))), 1, 3, 6, 1, 5, 5, 7, 1, 1)))
		both("policies"+is, addExt(ext(critical, seq(seq(oid(2, 23, 140, 1, 2, 1))), 2, 5, 29, 32)))
		both("crl points"+is, addExt(ext(critical, seq(seq(ctx(0, ctx(0, uri("http://crl.example/1.crl"))))), 2, 5, 29, 31)))
		both("freshest crl"+is, addExt(ext(critical, seq(seq(ctx(0, ctx(0, uri("http://crl.example/1.crl"))))), 2, 5, 29, 46)))
		both("policy mappings"+is, addExt(ext(critical, seq(seq(oid(1, 2, 3), oid(1, 2, 4))), 2, 5, 29, 33)))
		both("name constraints of a kind unknown"+is, addExt(ext(critical, seq(ctx(0, seq(tlv(0xa4, nameOf("x"))))), 2, 5, 29, 30)))
		b.onLeaf("ext san of kinds unknown"+is, onlyExt(ext(critical, seq(prim(8, []byte{42}), tlv(0xa4, nameOf("x"))), 2, 5, 29, 17)))
		b.onLeaf("ext san empty"+is, onlyExt(ext(critical, seq(), 2, 5, 29, 17)))
		b.onLeaf("ext san good"+is, onlyExt(ext(critical, seq(dns(host)), 2, 5, 29, 17)))
		b.onInter("ext aki"+is, onlyExt(extBC(true, -1), ext(critical, seq(prim(0, []byte("x"))), 2, 5, 29, 35)))
		b.onInter("ext ski"+is, onlyExt(extBC(true, -1), ext(critical, octets([]byte("x")), 2, 5, 29, 14)))
		b.onInter("ext basic constraints"+is, onlyExt(ext(critical, seq(boolean(true)), 2, 5, 29, 19)))
		b.onInter("ext key usage"+is, onlyExt(extBC(true, -1), ext(critical, kuBits(5), 2, 5, 29, 15)))
		b.onLeaf("ext eku"+is, onlyExt(extSAN(dns(host)), ext(critical, seq(ekuServer), 2, 5, 29, 37)))
		b.onLeaf("ext netscape type"+is, addExt(ext(critical, bits(6, []byte{0x40}), 2, 16, 840, 1, 113730, 1, 1)))
	}
	dup := func(name string, e []byte) { both("twice: "+name, addExt(e, e)) }
	dup("unknown", ext(false, null(), 1, 2, 3, 4))
	dup("san", extSAN(dns("a.example")))
	dup("basic constraints", extBC(true, -1))
	both("twice in other cases: unknown critical", addExt(ext(false, null(), 1, 2, 3, 4), ext(true, null(), 1, 2, 3, 4)))

	// Known extensions with all sorts of values; each on a leaf and an intermediate that lack it otherwise.
	try := func(id int, name string, values ...[]byte) {
		for i, v := range values {
			e := ext(false, v, 2, 5, 29, id)
			b.onLeaf(fmt.Sprint("ext ", name, " value ", i), onlyExtUnless(id, e)...)
			k := std()
			inter := interSpec(k.interN, k.ik, k.rootN, k.rk)
			keep := [][]byte{e}
			if id != 19 {
				keep = append(keep, extBC(true, -1))
			}
			b.add(fmt.Sprint("ext ", name, " value ", i, " (intermediate)"), parts{k.leafPEM, crt(inter.with(onlyExt(keep...)).sign(k.rk))}, parts{k.keyPEM}, parts{k.rootPEM})
		}
	}
	try(15, "key usage", kuBits(), kuBits(0), kuBits(5), kuBits(5, 6), kuBits(6), kuBits(8), kuBits(5, 8), []byte{3, 0}, []byte{3, 1, 0}, []byte{3, 1, 1}, []byte{3, 2, 8, 0}, []byte{3, 2, 2, 5}, []byte{3, 2, 2, 4}, []byte{3, 2, 0, 4}, []byte{3, 3, 0, 0, 0}, []byte{3, 4, 0, 0, 0, 4}, []byte{4, 1, 4}, null(), nil, cat(kuBits(5), null()), tlv(0x23, kuBits(5)))
	try(19, "basic constraints", seq(), seq(boolean(true)), seq(boolean(false)), seq(boolean(true), num(0)), seq(num(0)), seq(boolean(true), num(1)), seq(boolean(true), num(-1)), seq(boolean(true), []byte{2, 2, 0, 1}), seq(boolean(true), []byte{2, 9, 0, 0x80, 0, 0, 0, 0, 0, 0, 0}), seq(boolean(true), []byte{2, 8, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}), seq([]byte{1, 1, 1}), seq(boolean(true), null()), seq(num(0), boolean(true)), seq(boolean(true), num(1), num(0)), seq(boolean(true), boolean(false)), cat(seq(boolean(true)), null()), set(boolean(true)), boolean(true), nil)
	try(14, "ski", octets(), octets([]byte("abc")), []byte("abc"), nil, cat(octets([]byte("abc")), null()), tlv(0x24, octets([]byte("a"))))
	try(35, "aki", seq(), seq(prim(0, []byte("abc"))), seq(prim(0, nil)), seq(ctx(0, octets([]byte("abc")))), seq(ctx(1, nil), prim(2, []byte{1})), seq(prim(0, []byte("a")), prim(2, []byte{1})), seq([]byte{0x80, 5, 1}), octets([]byte("abc")), nil, cat(seq(), null()))
	try(37, "eku", seq(), seq(ekuServer), seq(ekuClient), seq(ekuAny), seq(ekuOdd), seq(ekuClient, ekuServer), seq(ekuServer, ekuServer), seq(ekuSGC), seq(null()), seq(ekuServer, []byte{6, 0}), ekuServer, nil, cat(seq(ekuServer), null()), seq([]byte{6, 2, 0x80, 1}), seq([]byte{6, 1, 0x80}))
	try(32, "policies", seq(), seq(seq(oid(1, 2, 3))), seq(seq(oid(1, 2, 3)), seq(oid(1, 2, 3))), seq(seq(oid(1, 2, 3), seq(null()))), seq(seq()), seq(oid(1, 2, 3)), seq(seq([]byte{6, 0})), seq(seq([]byte{6, 2, 0x80, 1})), seq(seq([]byte{6, 1, 0x81})), seq(seq([]byte{6, 12, 0x2a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f})), nil)
	try(33, "mappings", seq(), seq(seq(oid(1, 2, 3), oid(1, 2, 4))), seq(seq(oid(1, 2, 3))), seq(seq([]byte{6, 0}, []byte{6, 0})), nil)
	try(36, "policy constraints", seq(), seq(prim(0, []byte{0})), seq(prim(1, []byte{0})), seq(prim(0, []byte{5}), prim(1, []byte{5})), seq(prim(0, nil)), seq(prim(0, []byte{0, 1})), seq(prim(0, []byte{0xff})), seq(prim(0, bytes.Repeat([]byte{0x7f}, 8))), seq(prim(0, bytes.Repeat([]byte{0x7f}, 9))), seq(prim(1, []byte{1}), prim(0, []byte{0})), seq(ctx(0, num(0))), nil)
	try(54, "inhibit any", num(0), num(5), num(-1), num(1<<62), tlv(2, bytes.Repeat([]byte{0x7f}, 9)), []byte{2, 0}, nil, cat(num(0), null()), []byte{2, 2, 0xff, 0x80}, []byte{2, 2, 0xff, 0x7f}, []byte{2, 2, 0, 0x80}, []byte{2, 2, 0, 0x7f})
	try(31, "crl points", seq(), seq(seq()), seq(seq(ctx(0))), seq(seq(ctx(0, ctx(0)))), seq(seq(ctx(0, ctx(1, null())))), seq(seq(ctx(0, ctx(0, dns("x"), uri("http://x/"))))), seq(seq(ctx(0, ctx(0, []byte{0x86, 9, 1})))), seq(seq(prim(1, []byte{0, 1}))), seq(seq(prim(0, nil))), seq(num(1)), nil)
	aia := func(name string, v []byte) { both("aia "+name, addExt(ext(false, v, 1, 3, 6, 1, 5, 5, 7, 1, 1))) }
	aia("empty", seq())
	aia("of a dns name", seq(seq(oid(1, 3, 6, 1, 5, 5, 7, 48, 1), dns("x"))))
	aia("without a location", seq(seq(oid(1, 3, 6, 1, 5, 5, 7, 48, 1))))
	aia("without a method", seq(seq(uri("http://x"))))
	aia("cut", seq(seq(oid(1, 3, 6, 1, 5, 5, 7, 48, 1), []byte{0x86, 7, 1})))
	aia("no sequence", null())
	aia("nothing", nil)

	san := func(name string, v []byte) {
		b.onLeaf("san "+name, onlyExt(ext(false, v, 2, 5, 29, 17)))
	}
	good := dns(host)
	san("nothing", nil)
	san("no sequence", good)
	san("set", set(good))
	san("trailing after", cat(seq(good), null()))
	san("high tag", seq(good, []byte{0x9f, 0x20, 0}))
	san("high tag that would fit", seq(good, []byte{0x9f, 0x01, 0}))
	san("cut", seq(good, []byte{0x82, 9, 'x'}))
	san("universal string", seq(good, str(ia5Tag, "x")))
	san("dns constructed", seq(good, tlv(0xa2, []byte("x"))))
	san("dns in application class", seq(good, tlv(0x42, []byte("x"))))
	san("dns not ascii", seq(good, dns("m\xfcller.example")))
	san("dns utf8", seq(good, dns("müller.example")))
	san("dns with 0x80", seq(good, dns("a\x80")))
	san("dns empty", seq(good, dns("")))
	san("dns NUL", seq(good, dns("a\x00b")))
	san("dns space", seq(good, dns("a b")))
	san("email not ascii", seq(good, email("m\xfc@x.example")))
	san("email odd", seq(good, email("@@@")))
	san("email empty", seq(good, email("")))
	san("ip of 4", seq(good, ip(1, 2, 3, 4)))
	san("ip of 16", seq(good, ip(make([]byte, 16)...)))
	san("ip of 5", seq(good, ip(1, 2, 3, 4, 5)))
	san("ip of 0", seq(good, ip()))
	san("ip of 8", seq(good, ip(1, 2, 3, 4, 5, 6, 7, 8)))
	san("ip constructed of 5", seq(good, tlv(0xa7, []byte{1, 2, 3, 4, 5})))
	for i, u := range strings.Split(`https://a.example/|http://a.example:80/|http://a.example:x/|http://[::1]/|http://[::1]:80/|http://[::1|http://[::1%25en0]/|http://[::1%25e%20n]/|http://[::1%en0]/|http://[1.2.3.4]/|http://[::ffff:1.2.3.4]/|http://a b/|http://a%20b/|http://a%41/|http://a%c3%bc/|http://a%zz/|http://a/%zz|http://a/%41|http://a/?%zz|http://a/#%zz|http://a/#%41|http://a/#|mailto:x@y|urn:%zz|spiffe://a.example/x|//a.example/x|///x|/x|x/y:z|x:y/z|1x:y|:x|x y:z||*|http://|http:///x|http://u@h/|http://u:p@h/|http://u%zz@h/|http://u[@h/|http://u@v@h/|http://a:1:2/|ftp://a:1:2/|ftp://a:1:x/|http://a..b/|http://a.b./|http://.a/|http://a:/|http://:80/|http://a_b/|http://a*b/|http://a"b/|http://a{b/|http://<a>/|http://a?b=c?d|http://a\b/|HTTP://A/|a+b.c-1://x/|http://a;b/|http://a%25b/|http://[]/|http://[a]/|http://x[::1]/|http://[::1]x/|http://[::1]:8x/|http://[fe80::1%25]/|http://a[/|http://a[b]/|http://a]/|http://[::1]a/|http://[a/|http://a@[::1]/|http://a[@b/|http://a%5bb/`, "|") {
		san(fmt.Sprint("uri ", i, " ", u), seq(good, uri(u)))
	}
	san("uri control", seq(good, uri("http://a/\x01")))
	san("uri delete", seq(good, uri("http://a/\x7f")))
	san("uri not ascii", seq(good, uri("http://\xfc/")))
	san("names only by cn", seq(email("a@b.example")))
	b.onLeaf("san absent", onlyExt(extEKU(ekuServer)))
	san("of 300 names", seq(func() []byte {
		var all []byte
		for i := range 300 {
			all = append(all, dns(fmt.Sprint("n", i, ".example"))...)
		}
		return append(all, good...)
	}()))
}

// onlyExtUnless leaves the usual extensions away that the value under test replaces.
func onlyExtUnless(id int, e []byte) []func(*Spec) {
	if id == 37 {
		return []func(*Spec){onlyExt(extSAN(dns(host)), e)}
	}
	return []func(*Spec){onlyExt(extSAN(dns(host)), extEKU(ekuServer), e)}
}

func addNames(b *book) {
	k := std()
	// Subject and issuer are compared octet by octet.
	pairs := []struct {
		what            string
		subject, issuer []byte
	}{
		{"same", nameOf("CA"), nameOf("CA")},
		{"case differs", nameOf("CA"), nameOf("ca")},
		{"string types differ", seq(cn("CA")), seq(attr(str(printableTag, "CA"), 2, 5, 4, 3))},
		{"blanks differ", nameOf("C A"), nameOf("C  A")},
		{"order differs", seq(cn("CA"), org("V")), seq(org("V"), cn("CA"))},
		{"set split", seq(set(seq(oid(2, 5, 4, 3), str(utf8Tag, "CA")), seq(oid(2, 5, 4, 10), str(utf8Tag, "V")))), seq(cn("CA"), attr(str(utf8Tag, "V"), 2, 5, 4, 10))},
		{"length encoded differently", seq(cn("CA")), cat([]byte{0x30, 0x81, byte(len(cn("CA")))}, cn("CA"))},
		{"both empty", seq(), seq()},
		{"issuer empty", nameOf("CA"), seq()},
		{"other", nameOf("CA"), nameOf("CB")},
	}
	for _, p := range pairs {
		inter := interSpec(p.subject, k.ik, k.rootN, k.rk)
		leaf := leafSpec(k.lk, p.issuer, k.ik)
		b.add("name "+p.what, parts{crt(leaf.sign(k.ik)), crt(inter.sign(k.rk))}, parts{k.keyPEM}, parts{k.rootPEM})
		root := rootSpec(p.subject, k.rk)
		b.add("name "+p.what+" (root)", parts{crt(leafSpec(k.lk, p.issuer, k.rk).sign(k.rk))}, parts{k.keyPEM}, parts{crt(root.sign(k.rk))})
	}
	odd := map[string][]byte{
		"printable": str(printableTag, "abc"), "printable with &": str(printableTag, "a&b"), "printable with *": str(printableTag, "*.a"), "printable with @": str(printableTag, "a@b"), "printable with _": str(printableTag, "a_b"), "printable with é": str(printableTag, "\xe9"), "printable all": str(printableTag, "'()+,-./:=? 09azAZ"), "printable with ;": str(printableTag, ";"),
		"utf8": str(utf8Tag, "é"), "utf8 broken": str(utf8Tag, "\xff"), "utf8 overlong": str(utf8Tag, "\xc0\x80"), "utf8 surrogate": str(utf8Tag, "\xed\xa0\x80"), "utf8 beyond": str(utf8Tag, "\xf4\x90\x80\x80"), "utf8 last": str(utf8Tag, "\xf4\x8f\xbf\xbf"), "utf8 NUL": str(utf8Tag, "a\x00b"), "utf8 BOM": str(utf8Tag, "\xef\xbb\xbfa"), "utf8 cut": str(utf8Tag, "\xe2\x82"),
		"t61": str(t61Tag, "\xe9\xff"), "ia5": str(ia5Tag, "a@b"), "ia5 broken": str(ia5Tag, "\x80"), "numeric": str(numericTag, "12 3"), "numeric broken": str(numericTag, "1a"), "bmp": str(bmpTag, "\x00a"), "bmp odd": str(bmpTag, "\x00a\x00"), "bmp terminated": str(bmpTag, "\x00a\x00\x00"), "bmp twice terminated": str(bmpTag, "\x00a\x00\x00\x00\x00"), "bmp surrogate": str(bmpTag, "\xd8\x00\xdc\x00"), "bmp fffe": str(bmpTag, "\xff\xfe"), "bmp fdd0": str(bmpTag, "\xfd\xd0"), "bmp fdf0": str(bmpTag, "\xfd\xf0"), "bmp fffd": str(bmpTag, "\xff\xfd"),
		"universal": str(universalTag, "\x00\x00\x00a"), "general": str(0x1b, "a"), "visible": str(0x1a, "a"), "integer": num(5), "octets": octets([]byte("a")), "nothing": nil, "constructed utf8": tlv(0x2c, str(utf8Tag, "a")), "cut": {0x0c, 9, 'a'}, "empty utf8": str(utf8Tag, ""), "empty bmp": str(bmpTag, ""), "sequence": seq(), "bits": bits(0, []byte("a")), "context": prim(0, []byte("a")),
	}
	for _, what := range sortedKeys(odd) {
		name := seq(attr(odd[what], 2, 5, 4, 3))
		b.onLeaf("name subject of "+what, func(s *Spec) { s.subject = name })
		inter := interSpec(name, k.ik, k.rootN, k.rk)
		b.add("name of issuer "+what, parts{crt(leafSpec(k.lk, name, k.ik).sign(k.ik)), crt(inter.sign(k.rk))}, parts{k.keyPEM}, parts{k.rootPEM})
	}
	shape := map[string][]byte{
		"empty": seq(), "set": set(cn("a")), "rdn empty": seq(set()), "rdn sequence": seq(seq(seq(oid(2, 5, 4, 3), str(utf8Tag, "a")))), "attribute set": seq(set(set(oid(2, 5, 4, 3), str(utf8Tag, "a")))), "attribute with more": seq(set(seq(oid(2, 5, 4, 3), str(utf8Tag, "a"), null()))), "attribute without oid": seq(set(seq(str(utf8Tag, "a")))), "oid empty": seq(set(seq([]byte{6, 0}, str(utf8Tag, "a")))), "oid odd": seq(attr(str(utf8Tag, "a"), 1, 2, 3, 4)), "integer": num(1), "two attributes": seq(set(seq(oid(2, 5, 4, 3), str(utf8Tag, "a")), seq(oid(2, 5, 4, 10), str(utf8Tag, "b")))),
		"two names": seq(cn("a"), cn("b")), "cut": {0x30, 5, 0x31}, "long length": cat([]byte{0x30, 0x82, 0, byte(len(cn("a")))}, cn("a")),
	}
	for _, what := range sortedKeys(shape) {
		name := shape[what]
		b.onLeaf("name shape "+what, func(s *Spec) { s.subject = name })
		b.onLeaf("name shape of issuer "+what, func(s *Spec) { s.issuer = name })
	}
}

func addHostnames(b *book) {
	sans := [][]byte{dns("plain.example"), dns("*.wild.example"), dns("UPPER.Example"), dns("trailing.example."), dns("f*o.partial.example"), dns("*"), dns("*.*.double.example"), dns("a.*.inner.example"), dns("under_score.example"), dns("-dash.example"), dns("a..b.example"), dns("bad name.example"), dns("xn--mller-kva.example"), dns("*.UPWILD.example"), dns("10.0.0.1"), dns("*."), dns(""), dns("."), dns("single"), dns("a\x00.example"), dns("[::9]"),
		ip(192, 0, 2, 1), ip(0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1), ip(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 9), email("mail@plain.example"), uri("https://uri.example/")}
	k := std()
	leaf := crt(leafSpec(k.lk, k.interN, k.ik, sans...).sign(k.ik))
	names := strings.Split(`plain.example|PLAIN.example|plain.example.|plain.example..|.plain.example|x.plain.example|a.wild.example|A.WILD.EXAMPLE|a.wild.example.|a.b.wild.example|wild.example|.wild.example|*.wild.example|-a.wild.example|a-.wild.example|a_b.wild.example|_.wild.example|a b.wild.example|é.wild.example|upper.example|upper.example.|trailing.example|trailing.example.|TRAILING.example.|foo.partial.example|f*o.partial.example|F*O.partial.example|*|x|single|single.|x.y.double.example|*.*.double.example|a.x.inner.example|a.*.inner.example|A.*.inner.example|under_score.example|-dash.example|-DASH.example|a..b.example|bad name.example|BAD name.example|xn--mller-kva.example|müller.example|a.upwild.example|10.0.0.1|[10.0.0.1]|192.0.2.1|[192.0.2.1]|::ffff:192.0.2.1|[::ffff:c000:201]|192.0.2.9|192.0.2.2|192.0.2.01|192.0.2.1.|2001:db8::1|[2001:db8::1]|[2001:DB8:0:0:0:0:0:1]|2001:db8::1%eth0|[2001:db8::1%eth0]|2001:db8::2|[]|[a]|[|.|..|*.|www.example.test|mail@plain.example|uri.example|https://plain.example|plain.example:443|[::9]|::9|1.2.3|0x7f.1|::|1::2::3|:::|1:2:3:4:5:6:7:8|1:2:3:4:5:6:7::|1:2:3:4:5:6:7:8::|::1.2.3.4|1:2:3:4:5:6:1.2.3.4|1:2:3:4:5:6:7:1.2.3.4|12345::|::g|256.1.1.1|1.2.3.4.5|1..2.3|plain.example%|plain.example |`, "|")
	b.cases = append(b.cases, Case{name: "hostnames", cert: parts{leaf, k.interPE}, key: parts{k.keyPEM}, roots: parts{k.rootPEM}, names: append([]string{"plain.example"}, append(names, "a\x00.example", "a\x00b", " plain.example", "[2001:db8::1", strings.Repeat("a", 300)+".wild.example")...), at: []time.Time{noon}})
	// What isn't an address is compared as text, so each of these tells whether Go takes it for one.
	var odd [][]byte
	oddNames := []string{host}
	for _, s := range strings.Split(`1:2:1.2.3.4|1:2:3:4:5:6:7:1.2.3.4|1:2:3:4:5:6:1.2.3.4|1:2:3:4:5:1.2.3.4|::1.2.3.4|::1:1.2.3.4|1::1.2.3.4|1:2:3:4:5:6::1.2.3.4|1:2:3:4:5::1.2.3.4|1::2::3|::1::|1:2:3:4:5:6:7::|1:2:3:4:5:6:7:8::|1:2:3:4::5:6:7:8|::1:2:3:4:5:6:7|::1:2:3:4:5:6:7:8|12345::|1:00001::|::ffff|::g|:1|1:|::|:::|::1%|::1%a|%a|1.2.3.4%a|1.2.3.4|01.2.3.4|1.2.3.04|1.2.3.00|1.2.3.0|0.0.0.0|1.2.3|1.2.3.4.5|1..3.4|.1.2.3|1.2.3.|256.1.1.1|1.1.1.999|1.1.1.1111|0x1.2.3.4|1.2.3.4 | 1.2.3.4|::1.2.3|::1.2.3.256|::1.2.3.4.5|::1.2.3.4:5|::01.2.3.4|1:2:3:4:5:6:7:8:9|1:2:3:4:5:6:7|ABCD::ef|[::1]|[1.2.3.4]|[::1|::1]|[::1%a]|[a]|[]|[[::1]]`, "|") {
		odd = append(odd, dns(s))
		oddNames = append(oddNames, s)
	}
	b.cases = append(b.cases, Case{name: "hostnames: text that looks like an address", cert: parts{crt(leafSpec(k.lk, k.interN, k.ik, append(odd, dns(host))...).sign(k.ik)), k.interPE}, key: parts{k.keyPEM}, roots: parts{k.rootPEM}, names: oddNames, at: []time.Time{noon}})
	only := crt(leafSpec(k.lk, k.interN, k.ik, email("a@b.example")).sign(k.ik))
	b.add("hostnames: san without dns names", parts{only, k.interPE}, parts{k.keyPEM}, parts{k.rootPEM}, "", host, "a@b.example")
	none := crt(k.leaf.with(onlyExt(extEKU(ekuServer))).sign(k.ik))
	b.add("hostnames: common name only", parts{none, k.interPE}, parts{k.keyPEM}, parts{k.rootPEM}, "", host, strings.ToUpper(host))
	ipCN := crt(k.leaf.with(onlyExt(extEKU(ekuServer)), func(s *Spec) { s.subject = nameOf("192.0.2.1") }).sign(k.ik))
	b.add("hostnames: address as common name", parts{ipCN, k.interPE}, parts{k.keyPEM}, parts{k.rootPEM}, "", "192.0.2.1")
}

func addTimes(b *book) {
	both := func(name string, from, to []byte) {
		validity := seq(from, to)
		b.onAll("time "+name, func(s *Spec) { s.validity = validity })
	}
	u := func(s string) []byte { return str(0x17, s) }
	g := func(s string) []byte { return str(0x18, s) }
	from, to := u("260501000000Z"), u("260730000000Z")
	both("utc", from, to)
	both("generalized", g("20260501000000Z"), g("20260730000000Z"))
	both("mixed", from, g("20260730000000Z"))
	both("utc without seconds", u("2605010000Z"), u("2607300000Z"))
	both("generalized without seconds", g("202605010000Z"), to)
	both("utc with offset", u("260501000000+0130"), u("260730000000-0800"))
	both("utc without seconds with offset", u("2605010000+0130"), to)
	both("generalized with offset", g("20260501000000+0130"), g("20260730000000-0130"))
	for _, s := range []string{"260501000000", "260501000000z", "260501000000+0000", "260501000000-0000", "260501000000+2400", "260501000000+2430", "260501000000+2500", "260501000000+0060", "260501000000+0059", "260501000000 0100", "260501000000+01:00", "260501000000+01", "260501000000+0100x", "260501000000Zx", " 260501000000Z", "260501000000.5Z", "260501000000,5Z", "2605010000.5Z", "260501240000Z", "260501235960Z", "260501006000Z", "261301000000Z", "260001000000Z", "260532000000Z", "260500000000Z", "260229000000Z", "240229000000Z", "26050100000Z", "2605010000000Z", "20260501000000Z", "", "Z", "26050100Z", "6d0501000000Z", "26 501000000Z", "26-501000000Z", "260501+00000Z", "2605010000ZZ", "500101000000Z", "491231235959Z", "680101000000Z", "690101000000Z", "990101000000Z", "000101000000Z", "500229000000Z", "520229000000Z", "600229000000Z"} {
		both("utc from "+s, u(s), to)
		both("utc to "+s, u("250501000000Z"), u(s))
	}
	for _, s := range []string{"20260730000000", "20260730000000z", "20260730000000.5Z", "20260730000000.0Z", "20260730000000+0000", "20260730000000+2400", "20260730246000Z", "00000101000000Z", "00010101000000Z", "00010101000000+0100", "99991231235959Z", "99991231235959-2400", "100000101000000Z", "20490101000000Z", "20500101000000Z", "21000228000000Z", "21000229000000Z", "24000229000000Z", "19700101000000Z", "19691231235959Z", "2026073000000Z", "260730000000Z", "-2260730000000Z", "+20260730000000Z"} {
		both("generalized to "+s, from, g(s))
		both("generalized from "+s, g(s), to)
	}
	both("backwards", to, from)
	both("a single instant", u("260601120000Z"), u("260601120000Z"))
	both("other type", str(0x16, "260501000000Z"), to)
	both("missing end", from, nil)
	both("missing both", nil, nil)
	both("three", from, cat(to, to))
	both("constructed", tlv(0x37, u("260501000000Z")), to)

	k := std()
	// Windows that meet, cross or miss.
	spans := [][2]time.Time{{leafFrom, leafTo}, {leafFrom.AddDate(0, 0, 10), leafTo.AddDate(0, 0, -10)}, {leafFrom.AddDate(0, 0, 10), leafTo.AddDate(0, 1, 0)}, {leafFrom.AddDate(0, -1, 0), leafFrom}, {leafTo, leafTo.AddDate(0, 1, 0)}, {leafFrom.AddDate(-1, 0, 0), leafFrom.AddDate(0, -1, 0)}, {leafTo.Add(time.Second), leafTo.AddDate(1, 0, 0)}}
	for i, a := range spans {
		for j, c := range spans {
			inter := crt(k.inter.with(span(a[0], a[1])).sign(k.rk))
			root := crt(k.root.with(span(c[0], c[1])).sign(k.rk))
			b.add(fmt.Sprint("time windows ", i, j), parts{k.leafPEM, inter}, parts{k.keyPEM}, parts{root})
		}
	}
}

func addUsages(b *book) {
	k := std()
	sets := map[string][]byte{"none": nil, "server": extEKU(ekuServer), "client": extEKU(ekuClient), "any": extEKU(ekuAny), "odd": extEKU(ekuOdd), "both": extEKU(ekuClient, ekuServer), "empty": extEKU(), "sgc": extEKU(ekuSGC)}
	apply := func(s Spec, base [][]byte, e []byte) Spec {
		s.exts = append([][]byte{}, base...)
		if e != nil {
			s.exts = append(s.exts, e)
		}
		return s
	}
	for _, l := range sortedKeys(sets) {
		for _, i := range sortedKeys(sets) {
			for _, r := range []string{"none", "client", "server"} {
				if r != "none" && l != "server" && i != "server" {
					continue
				}
				leaf := apply(k.leaf, parts{extSAN(dns(host))}, sets[l]).sign(k.ik)
				inter := apply(k.inter, parts{extBC(true, -1)}, sets[i]).sign(k.rk)
				root := apply(k.root, parts{extBC(true, -1)}, sets[r]).sign(k.rk)
				b.add(fmt.Sprint("usage leaf ", l, ", intermediate ", i, ", root ", r), parts{crt(leaf), crt(inter)}, parts{k.keyPEM}, parts{crt(root)})
			}
		}
	}
	// Two paths, of which one permits.
	bad := crt(apply(k.inter, parts{extBC(true, -1)}, sets["client"]).sign(k.rk))
	b.add("usage two paths", parts{k.leafPEM, bad, k.interPE}, parts{k.keyPEM}, parts{k.rootPEM})
	b.add("usage two paths, permitted one later", parts{k.leafPEM, bad, crt(k.inter.with(span(date(2026, 7, 1), date(2028, 1, 1))).sign(k.rk))}, parts{k.keyPEM}, parts{k.rootPEM})
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	for i := range out {
		for j := i; j > 0 && out[j] < out[j-1]; j-- {
			out[j], out[j-1] = out[j-1], out[j]
		}
	}
	return out
}
