package main

import (
	"fmt"
	"time"
)

// Paths: lengths, crossings, cycles, decoys and windows.

func addPaths(b *book) {
	k := std()
	roots := parts{k.rootPEM}
	key := parts{k.keyPEM}
	other := ecKey("P-256", "other")
	b.add("path leaf signed by root", parts{crt(leafSpec(k.lk, k.rootN, k.rk).sign(k.rk))}, key, roots)
	self := leafSpec(k.lk, nameOf(host), k.lk)
	selfPEM := crt(self.sign(k.lk))
	b.add("path self-signed leaf as anchor", parts{selfPEM}, key, parts{selfPEM})
	b.add("path self-signed leaf alone", parts{selfPEM}, key, roots)
	b.add("path self-signed leaf in its own chain", parts{selfPEM, selfPEM}, key, roots)
	selfCA := crt(self.with(onlyExt(extBC(true, -1), extSAN(dns(host)))).sign(k.lk))
	b.add("path self-signed ca as leaf and anchor", parts{selfCA}, key, parts{selfCA})
	b.add("path leaf as anchor", parts{k.leafPEM}, key, parts{k.leafPEM})
	b.add("path leaf as anchor beside the root", parts{k.leafPEM, k.interPE}, key, parts{k.leafPEM, k.rootPEM})
	b.add("path leaf as anchor, expired", parts{crt(k.leaf.with(span(date(2020, 1, 1), date(2021, 1, 1))).sign(k.ik))}, key, parts{crt(k.leaf.with(span(date(2020, 1, 1), date(2021, 1, 1))).sign(k.ik))})
	b.add("path leaf as anchor, for clients", parts{crt(k.leaf.with(onlyExt(extSAN(dns(host)), extEKU(ekuClient))).sign(k.ik))}, key, parts{crt(k.leaf.with(onlyExt(extSAN(dns(host)), extEKU(ekuClient))).sign(k.ik))})
	ncLeaf := crt(k.leaf.with(addExt(extNC(parts{dns("other.example")}, nil))).sign(k.ik))
	b.add("path leaf as anchor, constrained", parts{ncLeaf}, key, parts{ncLeaf})
	b.add("path leaf constrained", parts{ncLeaf, k.interPE}, key, roots)
	b.add("path another leaf of the same key as anchor", parts{k.leafPEM}, key, parts{crt(k.leaf.with(func(s *Spec) { s.serial = num(9) }).sign(k.ik))})
	b.add("path intermediate as anchor", parts{k.leafPEM}, key, parts{k.interPE})
	b.add("path intermediate as anchor and in the chain", parts{k.leafPEM, k.interPE}, key, parts{k.interPE})
	badInter := crt(k.inter.with(span(date(2020, 1, 1), date(2021, 1, 1))).sign(k.rk))
	b.add("path expired intermediate beside a good one", parts{k.leafPEM, badInter, k.interPE}, key, roots)
	b.add("path good intermediate beside an expired one", parts{k.leafPEM, k.interPE, badInter}, key, roots)
	b.add("path expired intermediate, good one an anchor", parts{k.leafPEM, badInter}, key, parts{k.interPE})
	b.add("path expired anchor, good one in the chain", parts{k.leafPEM, k.interPE}, key, parts{badInter, k.rootPEM})
	wrong := crt(interSpec(k.interN, other, k.rootN, k.rk).sign(k.rk))
	b.add("path intermediate of the name with another key", parts{k.leafPEM, wrong}, key, roots)
	b.add("path both intermediates of the name", parts{k.leafPEM, wrong, k.interPE}, key, roots)
	noCA := crt(k.inter.with(onlyExt(extBC(false, -1))).sign(k.rk))
	b.add("path intermediate that isn't a ca beside one", parts{k.leafPEM, noCA, k.interPE}, key, roots)
	// An intermediate signed by nobody known, and one by the root.
	cross := crt(interSpec(k.interN, k.ik, nameOf("Elsewhere"), other).sign(other))
	b.add("path cross-signed, first leads nowhere", parts{k.leafPEM, cross, k.interPE}, key, roots)
	b.add("path cross-signed, only the other anchor", parts{k.leafPEM, k.interPE, cross}, key, parts{crt(rootSpec(nameOf("Elsewhere"), other).sign(other))})
	b.add("path cross-signed, both anchors", parts{k.leafPEM, cross, k.interPE}, key, parts{crt(rootSpec(nameOf("Elsewhere"), other).sign(other)), k.rootPEM})
	early := crt(k.inter.with(span(leafFrom, leafFrom.AddDate(0, 0, 30))).sign(k.rk))
	late := crt(k.inter.with(span(leafTo.AddDate(0, 0, -30), leafTo.AddDate(0, 1, 0))).sign(k.rk))
	b.add("path two windows apart", parts{k.leafPEM, early, late}, key, roots)
	touch := crt(k.inter.with(span(leafFrom.AddDate(0, 0, 30), leafFrom.AddDate(0, 0, 60))).sign(k.rk))
	b.add("path two windows that touch", parts{k.leafPEM, early, touch}, key, roots)
	after := crt(k.inter.with(span(leafFrom.AddDate(0, 0, 30).Add(time.Second), leafFrom.AddDate(0, 0, 60))).sign(k.rk))
	b.add("path two windows a second apart", parts{k.leafPEM, early, after}, key, roots)
	b.add("path three windows", parts{k.leafPEM, late, touch, early}, key, roots)

	// Root cross-signed by a newer root, as Let's Encrypt does.
	x1, x2 := ecKey("P-384", "x1"), ecKey("P-384", "x2")
	x1PEM := crt(rootSpec(nameOf("X1"), x1).sign(x1))
	x2PEM := crt(rootSpec(nameOf("X2"), x2).sign(x2))
	x2byx1 := crt(interSpec(nameOf("X2"), x2, nameOf("X1"), x1).sign(x1))
	e1 := crt(interSpec(nameOf("E1"), k.ik, nameOf("X2"), x2).sign(x2))
	leafE := crt(leafSpec(k.lk, nameOf("E1"), k.ik).sign(k.ik))
	full := parts{leafE, e1, x2byx1}
	b.add("path le full chain, old anchor", full, key, parts{x1PEM})
	b.add("path le full chain, new anchor", full, key, parts{x2PEM})
	b.add("path le full chain, both", full, key, parts{x1PEM, x2PEM})
	b.add("path le full chain, neither", full, key, roots)
	b.add("path le short chain, old anchor", full[:2], key, parts{x1PEM})
	b.add("path le short chain, new anchor", full[:2], key, parts{x2PEM})
	b.add("path le reversed", parts{leafE, x2byx1, e1}, key, parts{x1PEM})
	b.add("path le expired cross-sign, old anchor", parts{leafE, e1, crt(interSpec(nameOf("X2"), x2, nameOf("X1"), x1).with(span(date(2020, 1, 1), date(2025, 9, 15))).sign(x1))}, key, parts{x1PEM})
	b.add("path le expired cross-sign, both anchors", parts{leafE, e1, crt(interSpec(nameOf("X2"), x2, nameOf("X1"), x1).with(span(date(2020, 1, 1), date(2025, 9, 15))).sign(x1))}, key, parts{x1PEM, x2PEM})

	// Path lengths.
	for limit := -1; limit <= 3; limit++ {
		for depth := 0; depth <= 3; depth++ {
			name, by := k.rootN, k.rk
			var chain parts
			for i := range depth {
				ik := ecKey("P-256", fmt.Sprint("deep", i))
				n := nameOf(fmt.Sprint("Deep", i))
				chain = append(chain, crt(interSpec(n, ik, name, by).sign(by)))
				name, by = n, ik
			}
			chain = append(parts{crt(leafSpec(k.lk, name, by).sign(by))}, chain...)
			b.add(fmt.Sprint("path root limit ", limit, " depth ", depth), chain, key, parts{crt(k.root.with(onlyExt(extBC(true, limit))).sign(k.rk))})
			if depth > 0 {
				ik := ecKey("P-256", "deep0")
				limited := append(parts{}, chain...)
				limited[1] = crt(interSpec(nameOf("Deep0"), ik, k.rootN, k.rk).with(onlyExt(extBC(true, limit))).sign(k.rk))
				b.add(fmt.Sprint("path intermediate limit ", limit, " depth ", depth), limited, key, roots)
			}
		}
	}
	// Self-issued certificates count for the length all the same.
	selfIssued := crt(interSpec(k.interN, other, k.interN, k.ik).sign(k.ik))
	b.add("path self-issued intermediate", parts{crt(leafSpec(k.lk, k.interN, other).sign(other)), selfIssued, crt(k.inter.with(onlyExt(extBC(true, 0))).sign(k.rk))}, key, roots)
	b.add("path self-issued intermediate, no limit", parts{crt(leafSpec(k.lk, k.interN, other).sign(other)), selfIssued, k.interPE}, key, roots)

	// Cycles.
	a, c := ecKey("P-256", "a"), ecKey("P-256", "c")
	ab := crt(interSpec(nameOf("A"), a, nameOf("C"), c).sign(c))
	ba := crt(interSpec(nameOf("C"), c, nameOf("A"), a).sign(a))
	leafA := crt(leafSpec(k.lk, nameOf("A"), a).sign(a))
	b.add("path cycle", parts{leafA, ab, ba}, key, roots)
	aroot := crt(interSpec(nameOf("A"), a, k.rootN, k.rk).sign(k.rk))
	b.add("path cycle with a way out", parts{leafA, ab, ba, aroot}, key, roots)
	b.add("path cycle, way out behind it", parts{leafA, ab, ba, crt(interSpec(nameOf("C"), c, k.rootN, k.rk).sign(k.rk))}, key, roots)
	b.add("path leaf is its own issuer's name", parts{crt(leafSpec(k.lk, nameOf(host), k.ik).sign(k.ik)), crt(interSpec(nameOf(host), k.ik, k.rootN, k.rk).sign(k.rk))}, key, roots)
	// Same subject and key, names differ: Go tells them apart by the alternative names.
	san := func(s string) []byte {
		return crt(interSpec(nameOf("A"), a, nameOf("A"), a).with(addExt(extSAN(dns(s)))).sign(a))
	}
	b.add("path loop by alternative names", parts{leafA, san("one.example"), san("two.example"), aroot}, key, roots)
	b.add("path through alternative names", parts{leafA, san("one.example"), crt(interSpec(nameOf("A"), a, k.rootN, k.rk).with(addExt(extSAN(dns("x.example")))).sign(k.rk))}, key, roots)

	// Go compares with the first certificate of that subject and key only, so here it runs into its limit.
	b.add("path loop by a first certificate without names", parts{leafA, crt(interSpec(nameOf("A"), a, nameOf("A"), a).sign(a)), san("one.example"), aroot}, key, roots)
	b.add("path loop by a first certificate with names", parts{leafA, san("one.example"), crt(interSpec(nameOf("A"), a, nameOf("A"), a).sign(a)), aroot}, key, roots)
	many := parts{k.leafPEM}
	for range 120 {
		many = append(many, crt(interSpec(k.interN, other, k.rootN, k.rk).sign(k.rk)))
	}
	b.add("path after one decoy 120 times", append(many, k.interPE), key, roots)
	b.add("path after one anchor 120 times", parts{k.leafPEM, k.interPE}, key, append(many[1:len(many):len(many)], k.rootPEM))
	// Candidates by their key identifiers, with 99 decoys of each kind before or after.
	for _, good := range []string{"match", "absent", "wrong"} {
		for _, decoy := range []string{"match", "absent", "wrong"} {
			id := map[string][]byte{"match": extSKI(k.ik.id), "wrong": extSKI([]byte("wrong"))}
			usual := func(e []byte) [][]byte {
				if e == nil {
					return [][]byte{extBC(true, -1)}
				}
				return [][]byte{extBC(true, -1), e}
			}
			chain := parts{k.leafPEM}
			for i := range 101 {
				chain = append(chain, crt(interSpec(k.interN, ecKey("P-256", "decoy"), k.rootN, k.rk).with(onlyExt(usual(id[decoy])...), func(s *Spec) { s.serial = num(int64(2000 + i)) }).sign(k.rk)))
			}
			chain = append(chain, crt(k.inter.with(onlyExt(usual(id[good])...)).sign(k.rk)))
			b.add(fmt.Sprint("path key id ", good, " after decoys ", decoy), chain, key, roots)
		}
	}
	// The limit of 100 checks.
	decoys := func(n int, label string) (out parts) {
		for i := range n {
			dk := ecKey("P-256", "decoy")
			out = append(out, crt(interSpec(k.interN, dk, k.rootN, k.rk).with(func(s *Spec) {
				s.serial = num(int64(1000 + i))
				s.exts = [][]byte{extBC(true, -1), extSKI(k.ik.id)}
			}).sign(k.rk)))
		}
		return out
	}
	for _, n := range []int{10, 97, 98, 99, 100, 101, 150} {
		b.add(fmt.Sprint("path after ", n, " decoys"), append(append(parts{k.leafPEM}, decoys(n, "d")...), k.interPE), key, roots)
		b.add(fmt.Sprint("path before ", n, " decoys"), append(parts{k.leafPEM, k.interPE}, decoys(n, "d")...), key, roots)
		// Anchors are looked at first; a twin without key identifier comes later than one with.
		b.add(fmt.Sprint("path after ", n, " anchors of the name"), parts{k.leafPEM, k.interPE}, key, append(decoys(n, "d"), k.rootPEM))
		noID := crt(k.inter.with(onlyExt(extBC(true, -1))).sign(k.rk))
		b.add(fmt.Sprint("path without key id after ", n, " decoys"), append(append(parts{k.leafPEM}, noID), decoys(n, "d")...), key, roots)
	}
	// A ladder of doubled steps: 2^n paths.
	for _, steps := range []int{3, 5, 7, 12} {
		name, by := k.rootN, k.rk
		var chain parts
		for i := range steps {
			ik := ecKey("P-256", fmt.Sprint("step", i))
			n := nameOf(fmt.Sprint("Step", i))
			for j := range 2 {
				chain = append(chain, crt(interSpec(n, ik, name, by).with(func(s *Spec) { s.serial = num(int64(10 + j)) }).sign(by)))
			}
			name, by = n, ik
		}
		leaf := crt(leafSpec(k.lk, name, by).sign(by))
		b.add(fmt.Sprint("path ladder of ", steps), append(parts{leaf}, chain...), key, roots)
		b.add(fmt.Sprint("path ladder of ", steps, " to nowhere"), append(parts{leaf}, chain...), key, parts{crt(rootSpec(nameOf("Elsewhere"), other).sign(other))})
	}
	// Key identifiers: order candidates, exclude none.
	ids := [][]byte{nil, k.ik.id, []byte("wrong")}
	for i, aki := range ids {
		for j, ski := range ids {
			leaf := k.leaf.with(onlyExt(extSAN(dns(host))))
			if aki != nil {
				leaf = leaf.with(addExt(extAKI(aki)))
			}
			inter := k.inter.with(onlyExt(extBC(true, -1)))
			if ski != nil {
				inter = inter.with(addExt(extSKI(ski)))
			}
			b.add(fmt.Sprint("path key ids ", i, j), parts{crt(leaf.sign(k.ik)), crt(inter.sign(k.rk))}, key, roots)
		}
	}
}
