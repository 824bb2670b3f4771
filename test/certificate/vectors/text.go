package main

import (
	"encoding/base64"
	"strings"
)

// PEM text: what hides a block from Go and what does not.

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
