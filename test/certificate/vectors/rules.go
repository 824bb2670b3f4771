package main

import (
	"fmt"
)

func addConstraints(b *book) {
	k := std()
	with := func(name string, nc []byte, names ...[]byte) {
		leaf := crt(leafSpec(k.lk, k.interN, k.ik, names...).sign(k.ik))
		b.add("constraint "+name, parts{leaf, crt(k.inter.with(addExt(nc)).sign(k.rk))}, parts{k.keyPEM}, parts{k.rootPEM}, "")
		b.add("constraint "+name+" (root)", parts{leaf, k.interPE}, parts{k.keyPEM}, parts{crt(k.root.with(addExt(nc)).sign(k.rk))}, "")
	}
	permit := func(n ...[]byte) []byte { return extNC(n, nil) }
	exclude := func(n ...[]byte) []byte { return extNC(nil, n) }
	type pair struct{ rule, name string }
	for _, p := range []pair{
		{"example.test", "example.test"}, {"example.test", "www.example.test"}, {"example.test", "notexample.test"}, {"example.test", "EXAMPLE.test"}, {"EXAMPLE.TEST", "www.example.test"}, {".example.test", "example.test"}, {".example.test", "www.example.test"}, {".example.test", "a.b.example.test"}, {"www.example.test", "example.test"}, {"www.example.test", "*.example.test"}, {"example.test", "*.example.test"}, {"example.test", "*.test"}, {"", "anything.example"}, {"", ""}, {"test", "example.test"}, {"example.test", ""}, {"example.test", "bad name.example.test"}, {"example.test", "example.test."}, {"example.test", "a..example.test"}, {"example.test", "under_score.example.test"}, {"a.example.test", "*.EXAMPLE.test"}, {"example.test", "*"}, {"*.example.test", "a.example.test"}, {"*.example.test", "*.example.test"}, {".example.test", "*.example.test"}, {".test", "*.test"}, {"example.test", "-a.example.test"},
	} {
		with(fmt.Sprint("permit dns ", p.rule, " for ", p.name), permit(dns(p.rule)), dns(p.name))
		with(fmt.Sprint("exclude dns ", p.rule, " for ", p.name), exclude(dns(p.rule)), dns(p.name))
	}
	for _, p := range []pair{
		{"example.test", "a@example.test"}, {"example.test", "a@www.example.test"}, {".example.test", "a@www.example.test"}, {".example.test", "a@example.test"}, {"a@example.test", "a@example.test"}, {"a@example.test", "A@example.test"}, {"a@example.test", "a@EXAMPLE.test"}, {"a@EXAMPLE.test", "a@example.test"}, {"a@example.test", "b@example.test"}, {"\"a b\"@example.test", "\"a b\"@example.test"}, {"\"a\"@example.test", "a@example.test"}, {"", "a@example.test"}, {"example.test", "nonsense"}, {"example.test", "a@"}, {"example.test", "@example.test"}, {"example.test", "a..b@example.test"}, {"example.test", ".a@example.test"}, {"example.test", "a@b@example.test"}, {"example.test", "a\\@b@example.test"}, {"example.test", "a@ex ample.test"}, {"example.test", "a@example.test."}, {"a@", "a@"},
	} {
		with(fmt.Sprint("permit email ", p.rule, " for ", p.name), permit(email(p.rule)), email(p.name))
		with(fmt.Sprint("exclude email ", p.rule, " for ", p.name), exclude(email(p.rule)), email(p.name))
	}
	for _, p := range []pair{
		{"example.test", "https://example.test/"}, {"example.test", "https://www.example.test/"}, {".example.test", "https://www.example.test/"}, {".example.test", "https://example.test/"}, {"example.test", "https://EXAMPLE.test:443/"}, {"example.test", "https://1.2.3.4/"}, {"example.test", "https://[::1]/"}, {"example.test", "https://[::1]:80/"}, {"example.test", "mailto:a@example.test"}, {"example.test", "/relative"}, {"example.test", "//example.test"}, {"example.test", "https://u@example.test/"}, {"example.test", "https://example.test:/"}, {"example.test", "https://:80/"}, {"example.test", "ftp://a:1:2/"}, {"example.test", "spiffe://example.test/x"}, {"example.test", "https://other.example/"}, {"", "https://other.example/"}, {"example.test", "https://*.example.test/"}, {"www.example.test", "https://*.example.test/"},
	} {
		with(fmt.Sprint("permit uri ", p.rule, " for ", p.name), permit(uri(p.rule)), uri(p.name))
		with(fmt.Sprint("exclude uri ", p.rule, " for ", p.name), exclude(uri(p.rule)), uri(p.name))
	}
	v4 := func(a, c, d, e, m byte) []byte { return ip(a, c, d, e, 255, 255, 255, m) }
	v6 := append(append([]byte{0x20, 1, 0xd, 0xb8}, make([]byte, 12)...), append([]byte{255, 255, 255, 255}, make([]byte, 12)...)...)
	mapped := append(append(make([]byte, 10), 255, 255, 192, 0, 2, 0), append(append([]byte{}, make([]byte, 12)...), 255, 255, 255, 0)...)
	for i := range 12 {
		mapped[16+i] = 255
	}
	addrs := map[string][]byte{"v4 inside": ip(192, 0, 2, 7), "v4 outside": ip(192, 0, 3, 7), "v6 inside": ip(append([]byte{0x20, 1, 0xd, 0xb8}, make([]byte, 12)...)...), "v6 outside": ip(append([]byte{0x30, 1, 0xd, 0xb8}, make([]byte, 12)...)...), "mapped": ip(append(make([]byte, 10), 255, 255, 192, 0, 2, 7)...), "dns": dns("192.0.2.7")}
	rules := map[string][]byte{"v4": v4(192, 0, 2, 0, 0), "v4 unmasked": v4(192, 0, 2, 9, 0), "v4 host": v4(192, 0, 2, 7, 255), "v6": ip(v6...), "mapped": ip(mapped...), "all v4": ip(0, 0, 0, 0, 0, 0, 0, 0)}
	for _, r := range sortedKeys(rules) {
		for _, a := range sortedKeys(addrs) {
			with(fmt.Sprint("permit ip ", r, " for ", a), permit(rules[r]), addrs[a])
			with(fmt.Sprint("exclude ip ", r, " for ", a), exclude(rules[r]), addrs[a])
		}
	}
	good := dns("www.example.test")
	value := func(name string, v []byte) { with(name, ext(true, v, 2, 5, 29, 30), good) }
	tree := func(n []byte) []byte { return seq(n) }
	value("empty", seq())
	value("nothing", nil)
	value("permitted empty", seq(ctx(0)))
	value("both empty", seq(ctx(0), ctx(1)))
	value("permitted empty, excluded something", seq(ctx(0), ctx(1, tree(dns("other.example")))))
	value("trailing after", cat(seq(ctx(0, tree(good))), null()))
	value("trailing inside", seq(ctx(0, tree(good)), null()))
	value("excluded first", seq(ctx(1, tree(dns("other.example"))), ctx(0, tree(good))))
	value("permitted twice", seq(ctx(0, tree(good)), ctx(0, tree(good))))
	value("primitive", seq(prim(0, tree(good))))
	value("with minimum", seq(ctx(0, seq(good, prim(0, []byte{1})))))
	value("subtree empty", seq(ctx(0, seq())))
	value("subtree not a sequence", seq(ctx(0, good)))
	value("directory name", seq(ctx(0, tree(tlv(0xa4, nameOf("x"))))))
	value("directory name and dns", seq(ctx(0, tree(tlv(0xa4, nameOf("x"))), tree(good))))
	value("directory name excluded", seq(ctx(1, tree(tlv(0xa4, nameOf("x"))))))
	value("dns trailing dot", seq(ctx(0, tree(dns("example.test.")))))
	value("dns two dots", seq(ctx(0, tree(dns("..example.test")))))
	value("dns dot", seq(ctx(0, tree(dns(".")))))
	value("dns with a blank", seq(ctx(0, tree(dns("a b")))))
	value("dns not ascii", seq(ctx(0, tree(dns("\xfc")))))
	value("ip of 4", seq(ctx(0, tree(ip(1, 2, 3, 4)))))
	value("ip of 16", seq(ctx(0, tree(ip(make([]byte, 16)...)))))
	value("ip mask with a hole", seq(ctx(0, tree(ip(1, 2, 3, 4, 255, 0, 255, 0)))))
	value("ip mask odd", seq(ctx(0, tree(ip(1, 2, 3, 4, 255, 255, 0xfd, 0)))))
	value("email with two at", seq(ctx(0, tree(email("a@b@c")))))
	value("email bad domain", seq(ctx(0, tree(email("a@b c")))))
	value("email not ascii", seq(ctx(0, tree(email("\xfc")))))
	value("uri address", seq(ctx(0, tree(uri("1.2.3.4")))))
	value("uri v6 address", seq(ctx(0, tree(uri("::1")))))
	value("uri with scheme", seq(ctx(0, tree(uri("https://example.test")))))
	value("uri trailing dot", seq(ctx(0, tree(uri("example.test.")))))
	value("registered id", seq(ctx(0, tree(prim(8, []byte{42})))))
	value("dns constructed", seq(ctx(0, tree(tlv(0xa2, good)))))
	with("not critical", ext(false, seq(ctx(0, tree(dns("other.example")))), 2, 5, 29, 30), good)
	with("unknown kind, not critical", ext(false, seq(ctx(0, tree(prim(8, []byte{42})))), 2, 5, 29, 30), good)

	// Many subtrees, which Go sorts and prunes.
	with("permit many, one fits", permit(dns("a.test"), dns("b.test"), dns("example.test"), dns("z.test")), good)
	with("permit many, none fits", permit(dns("a.test"), dns("b.test"), dns("z.test")), good)
	with("permit nested", permit(dns("example.test"), dns("www.example.test"), dns("a-b.example.test")), good)
	with("permit dashes", permit(dns("a.test"), dns("a-a.test"), dns("a.a.test")), dns("x.a.a.test"))
	with("permit dashes 2", permit(dns("a.com"), dns("a.a.com"), dns("a-a.com")), dns("y.a-a.com"))
	with("permit dotted and not", permit(dns(".example.test"), dns("example.test")), dns("example.test"))
	with("permit dotted and inner", permit(dns(".example.test"), dns("a.example.test")), dns("b.example.test"))
	with("permit characters below the period", permit(dns("a!example.test"), dns("example.test"), dns("!.example.test")), dns("a.example.test"))
	with("exclude dotted and inner", exclude(dns(".example.test"), dns("a.example.test")), dns("b.example.test"))
	with("exclude dotted, name itself", exclude(dns(".example.test"), dns("zzz.test")), dns("example.test"))
	with("permit and exclude", extNC(parts{dns("example.test")}, parts{dns("www.example.test")}), good)
	with("permit and exclude, another", extNC(parts{dns("example.test")}, parts{dns("www.example.test")}), dns("mail.example.test"))
	with("permit dns, names of other kinds", permit(dns("example.test")), email("a@b.example"), ip(1, 2, 3, 4), uri("https://x.example/"))
	with("permit ip, nested nets", permit(v4(192, 0, 2, 0, 0), v4(192, 0, 2, 128, 128), v4(10, 0, 0, 0, 0)), ip(192, 0, 2, 200))
	with("permit ip, unmasked neighbours", permit(v4(192, 0, 2, 9, 0), v4(192, 0, 2, 200, 255)), ip(192, 0, 2, 3))
	// The mask isn't applied before sorting, so a net can hide behind another from the search.
	wide := func(a, c byte) []byte { return ip(a, c, 0, 0, 255, 0, 0, 0) }
	with("permit ip, a hidden net", permit(wide(9, 0), wide(10, 255)), ip(10, 1, 1, 1))
	with("exclude ip, a hidden net", exclude(wide(9, 0), wide(10, 255)), ip(10, 1, 1, 1))
	with("permit ip, the same net in order", permit(wide(9, 0), wide(10, 0)), ip(10, 1, 1, 1))
	with("any constraint, odd email", permit(dns("example.test")), good, email("nonsense"))
	with("any constraint, odd uri", permit(dns("example.test")), good, uri("urn:x"))
	with("any constraint, odd dns", exclude(email("x.example")), dns("a b"))
	with("any constraint, dot at the end", exclude(email("x.example")), dns("a."))
	// The intermediate's own names are under the root's rule; the leaf's common name never is.
	interSAN := k.inter.with(addExt(extSAN(dns("ca.other.example"))))
	b.add("constraint on the intermediate's own names", parts{k.leafPEM, crt(interSAN.sign(k.rk))}, parts{k.keyPEM}, parts{crt(k.root.with(addExt(permit(dns("example.test")))).sign(k.rk))})
	b.add("constraint of the intermediate, its own names", parts{k.leafPEM, crt(interSAN.with(addExt(permit(dns("example.test")))).sign(k.rk))}, parts{k.keyPEM}, parts{k.rootPEM})
	b.add("constraints of both", parts{k.leafPEM, crt(k.inter.with(addExt(permit(dns("example.test")))).sign(k.rk))}, parts{k.keyPEM}, parts{crt(k.root.with(addExt(permit(dns("other.example")))).sign(k.rk))})
	b.add("constraint and no names", parts{crt(k.leaf.with(onlyExt(extEKU(ekuServer))).sign(k.ik)), crt(k.inter.with(addExt(permit(dns("other.example")))).sign(k.rk))}, parts{k.keyPEM}, parts{k.rootPEM}, "")
	bad := crt(k.inter.with(addExt(permit(dns("other.example")))).sign(k.rk))
	b.add("constraint on one of two paths", parts{k.leafPEM, bad, k.interPE}, parts{k.keyPEM}, parts{k.rootPEM})
	// Self-issued with other names in between.
	mid := ecKey("P-256", "mid")
	midDER := interSpec(nameOf("Mid"), mid, k.interN, k.ik).with(addExt(extSAN(dns("x.other.example"))))
	deepLeaf := crt(leafSpec(k.lk, nameOf("Mid"), mid).sign(mid))
	b.add("constraint two above", parts{deepLeaf, crt(midDER.sign(k.ik)), crt(k.inter.with(addExt(permit(dns("example.test")))).sign(k.rk))}, parts{k.keyPEM}, parts{k.rootPEM})
	b.add("constraint two above and one", parts{deepLeaf, crt(midDER.with(addExt(permit(dns("example.test")))).sign(k.ik)), crt(k.inter.with(addExt(permit(dns("other.example")))).sign(k.rk))}, parts{k.keyPEM}, parts{k.rootPEM})
}

func addPolicies(b *book) {
	k := std()
	p1, p2, any := oid(1, 2, 3, 1), oid(1, 2, 3, 2), oid(2, 5, 29, 32, 0)
	pc := func(explicit, mapping int) []byte {
		var v []byte
		if explicit >= 0 {
			v = append(v, prim(0, []byte{byte(explicit)})...)
		}
		if mapping >= 0 {
			v = append(v, prim(1, []byte{byte(mapping)})...)
		}
		return ext(true, seq(v), 2, 5, 29, 36)
	}
	maps := func(pairs ...[2][]byte) []byte {
		var v []byte
		for _, p := range pairs {
			v = append(v, seq(p[0], p[1])...)
		}
		return ext(false, seq(v), 2, 5, 29, 33)
	}
	inhibit := func(n int64) []byte { return ext(true, num(n), 2, 5, 29, 54) }
	// Depth three: leaf, mid, inter, root.
	put := func(name string, leaf, mid, inter, root [][]byte) {
		mk := ecKey("P-256", "mid")
		l := crt(leafSpec(k.lk, nameOf("Mid"), mk).with(addExt(leaf...)).sign(mk))
		m := crt(interSpec(nameOf("Mid"), mk, k.interN, k.ik).with(addExt(mid...)).sign(k.ik))
		i := crt(k.inter.with(addExt(inter...)).sign(k.rk))
		r := crt(k.root.with(addExt(root...)).sign(k.rk))
		b.add("policy "+name, parts{l, m, i}, parts{k.keyPEM}, parts{r})
	}
	pol := func(p ...[]byte) [][]byte { return parts{extPolicies(p...)} }
	put("none", nil, nil, nil, nil)
	put("explicit, none given", nil, nil, parts{pc(0, -1)}, nil)
	put("explicit at root, none given", nil, nil, nil, parts{pc(0, -1)})
	put("explicit at leaf, none given", parts{pc(0, -1)}, nil, nil, nil)
	put("explicit at leaf, given everywhere", parts{pc(0, -1), extPolicies(p1)}, pol(p1), pol(p1), nil)
	put("explicit at leaf, missing in between", parts{pc(0, -1), extPolicies(p1)}, nil, pol(p1), nil)
	for n := range 5 {
		put(fmt.Sprint("explicit after ", n, ", none given"), nil, nil, parts{pc(n, -1)}, nil)
		put(fmt.Sprint("explicit after ", n, ", all given"), pol(p1), pol(p1), parts{pc(n, -1), extPolicies(p1)}, nil)
		put(fmt.Sprint("explicit after ", n, ", differing"), pol(p1), pol(p2), parts{pc(n, -1), extPolicies(p1)}, nil)
		put(fmt.Sprint("explicit at mid after ", n), nil, parts{pc(n, -1)}, nil, nil)
		put(fmt.Sprint("any above, inhibited after ", n), pol(p1), pol(any), parts{pc(0, -1), extPolicies(any), inhibit(int64(n))}, nil)
		put(fmt.Sprint("any below, inhibited after ", n), pol(any), pol(any), parts{pc(0, -1), extPolicies(p1), inhibit(int64(n))}, nil)
		put(fmt.Sprint("mapped, inhibited after ", n), pol(p2), parts{extPolicies(p1), maps([2][]byte{p1, p2})}, parts{pc(0, n), extPolicies(p1)}, nil)
	}
	// A self-issued certificate in between: it counts for nothing, and anyPolicy in it outlives inhibition.
	putSelf := func(name string, leaf, mid, inter [][]byte) {
		mk := ecKey("P-256", "mid")
		l := crt(leafSpec(k.lk, k.interN, mk).with(addExt(leaf...)).sign(mk))
		m := crt(interSpec(k.interN, mk, k.interN, k.ik).with(addExt(mid...)).sign(k.ik))
		i := crt(k.inter.with(addExt(inter...)).sign(k.rk))
		b.add("policy self-issued "+name, parts{l, m, i}, parts{k.keyPEM}, parts{k.rootPEM})
	}
	for n := range 4 {
		putSelf(fmt.Sprint("explicit after ", n), nil, nil, parts{pc(n, -1)})
		putSelf(fmt.Sprint("explicit at mid after ", n), nil, parts{pc(n, -1)}, nil)
		putSelf(fmt.Sprint("any in between, inhibited after ", n), pol(p1), pol(any), parts{pc(0, -1), extPolicies(p1), inhibit(int64(n))})
		putSelf(fmt.Sprint("any at the leaf, inhibited after ", n), pol(any), pol(p1), parts{pc(0, -1), extPolicies(p1), inhibit(int64(n))})
		putSelf(fmt.Sprint("mapped, inhibited after ", n), pol(p2), parts{extPolicies(p1), maps([2][]byte{p1, p2})}, parts{pc(0, n), extPolicies(p1)})
	}
	put("any with a negative inhibition", pol(any), pol(any), parts{pc(0, -1), extPolicies(any), inhibit(-1)}, nil)
	put("mapped with a negative inhibition", pol(p2), parts{extPolicies(p1), maps([2][]byte{p1, p2})}, parts{ext(true, seq(prim(0, []byte{0}), prim(1, []byte{0xff})), 2, 5, 29, 36), extPolicies(p1)}, nil)
	put("any everywhere", pol(any), pol(any), parts{pc(0, -1), extPolicies(any)}, nil)
	put("mapped", pol(p2), pol(p2), parts{pc(0, -1), extPolicies(p1), maps([2][]byte{p1, p2})}, nil)
	put("mapped elsewhere", pol(p2), pol(p1), parts{pc(0, -1), extPolicies(p1), maps([2][]byte{p1, p2})}, nil)
	put("mapped under any", pol(p2), pol(p2), parts{pc(0, -1), extPolicies(any), maps([2][]byte{p1, p2})}, nil)
	put("mapping any", pol(p1), pol(p1), parts{extPolicies(p1), maps([2][]byte{any, p1})}, nil)
	put("mapping to any", pol(p1), pol(p1), parts{extPolicies(p1), maps([2][]byte{p1, any})}, nil)
	put("mapping any without policies", nil, nil, parts{maps([2][]byte{any, p1})}, nil)
	put("mapping any in the root", pol(p1), pol(p1), pol(p1), parts{maps([2][]byte{any, p1})})
	put("mapping any in the leaf", parts{extPolicies(p1), maps([2][]byte{any, p1})}, pol(p1), pol(p1), nil)
	put("mapping any where inhibited", pol(p1), parts{extPolicies(p1), maps([2][]byte{any, p1})}, parts{pc(-1, 0), extPolicies(p1)}, nil)
	put("mapped twice", pol(p2), parts{extPolicies(p1), maps([2][]byte{p1, p2}, [2][]byte{p1, p1})}, parts{pc(0, -1), extPolicies(p1)}, nil)
	put("two policies, one lost", pol(p2), pol(p1, p2), parts{pc(0, -1), extPolicies(p1, p2)}, nil)
	put("negative counts", nil, parts{ext(true, seq(prim(0, []byte{0xff})), 2, 5, 29, 36)}, parts{inhibit(-1)}, nil)
}
