// Reads a restored certificate by Tailscale's own store and prints what it gives, as one JSON document. The
// judgement is Go's: tls.X509KeyPair and Certificate.Verify, as Tailscale does it before it serves a certificate.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log"
	"os"

	"tailscale.com/ipn/store/kubestore"
	"tailscale.com/kube/kubeclient"
)

type answer struct {
	Cert    []byte `json:"cert"`
	Key     []byte `json:"key"`
	Account []byte `json:"account"`
	Valid   bool   `json:"valid"`
	Why     string `json:"why"`
}

// judge is what decides whether a certificate is served or thrown away.
func judge(domain string, cert, key []byte, rootsFile string) error {
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return err
	}
	var leaf *x509.Certificate
	intermediates := x509.NewCertPool()
	for i, der := range pair.Certificate {
		parsed, err := x509.ParseCertificate(der)
		if err != nil {
			return err
		}
		if i == 0 {
			leaf = parsed
		} else {
			intermediates.AddCert(parsed)
		}
	}
	pem, err := os.ReadFile(rootsFile)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	_, err = leaf.Verify(x509.VerifyOptions{DNSName: domain, Roots: roots, Intermediates: intermediates})
	return err
}

// Arguments: the folder that stands for /, the Secret of the state, the domain, a PEM file of roots.
func main() {
	log.SetOutput(os.Stderr)
	root, secret, domain, roots := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	kubeclient.SetRootPathForTesting(root)
	store, err := kubestore.New(log.Printf, secret)
	if err != nil {
		log.Fatal(err)
	}
	var out answer
	out.Cert, out.Key, err = store.ReadTLSCertAndKey(domain)
	if err == nil {
		err = judge(domain, out.Cert, out.Key, roots)
	}
	out.Valid = err == nil
	if err != nil {
		out.Why = err.Error()
	}
	out.Account, _ = store.ReadState("acme-account.key.pem")
	text, err := json.Marshal(out)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(text))
}
