package node_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"conclave/actor"
	"conclave/node"
	"conclave/transport"
)

// authority is a certificate authority made for one test.
type authority struct {
	c    *cluster
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
	last int64
}

func (c *cluster) authority() *authority {
	c.Helper()
	a := &authority{c: c, pool: x509.NewCertPool(), last: 1}
	var err error
	a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	c.ok(err)
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "the cluster's CA"},
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &a.key.PublicKey, a.key)
	c.ok(err)
	a.cert, err = x509.ParseCertificate(der)
	c.ok(err)
	a.pool.AddCert(a.cert)
	return a
}

// issue makes a certificate for loopback, which serves as client and as server.
func (a *authority) issue(change ...func(*x509.Certificate)) tls.Certificate {
	a.c.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	a.c.ok(err)
	a.last++
	template := x509.Certificate{
		SerialNumber: big.NewInt(a.last), Subject: pkix.Name{CommonName: "a node"},
		NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, f := range change {
		f(&template)
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, a.cert, &key.PublicKey, a.key)
	a.c.ok(err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// config is what a node of the cluster needs.
func (a *authority) config(change ...func(*x509.Certificate)) *tls.Config {
	a.c.Helper()
	return &tls.Config{Certificates: []tls.Certificate{a.issue(change...)}, RootCAs: a.pool}
}

func expired(t *x509.Certificate) { t.NotAfter = time.Now().Add(-time.Minute) }

func withTLS(tls *tls.Config, secret string) func(*node.Config) {
	return func(c *node.Config) { c.TLS, c.Secret = tls, []byte(secret) }
}

// greets has m call a process that says hello.
func (m *member) greets(callee actor.PID) error {
	said, err := actor.Call[string](m.With(m.c.brief()), callee, "hello")
	if err == nil && said != "hello" {
		err = fmt.Errorf("%q came back", said)
	}
	return err
}

func TestNodesOfOneCALinkOverTLS(t *testing.T) {
	for _, secret := range []string{"", "a secret"} {
		overTCP(t, func(c *cluster) {
			ca := c.authority()
			a, b := c.node("a", withTLS(ca.config(), secret)), c.node("b", withTLS(ca.config(), secret))
			c.ok(a.greets(b.Spawn(echo)))
			c.ok(b.greets(a.Spawn(echo)))
			// The bulk connection has the same.
			mirror := b.Spawn(func(p *actor.Process) error {
				for {
					body, m, err := actor.Expect[[]byte](p)
					if err != nil {
						return err
					}
					if err := p.Reply(m, body); err != nil {
						return err
					}
				}
			})
			for range 100 {
				if got, err := actor.Call[[]byte](a.With(c.brief()), mirror, bulky); err != nil || len(got) != len(bulky) {
					c.Fatalf("%d bytes, %v", len(got), err)
				}
			}
		})
	}
}

// Whoever dials, no link comes about with a node whose TLS is not ours, and both
// are told why.
func TestNodesWithoutTheRightTLSAreRefusedOnBothSides(t *testing.T) {
	overTCP(t, func(c *cluster) {
		ca, stranger := c.authority(), c.authority()
		const secret = "a secret"
		named := ca.config(func(t *x509.Certificate) { t.DNSNames = []string{"another"} })
		right := c.node("right", withTLS(ca.config(), secret))
		mixed := stranger.config()
		mixed.RootCAs = ca.pool // it trusts us, we do not trust it
		home := right.Spawn(echo)
		for name, bad := range map[string]struct {
			config *tls.Config
			secret string
			want   error
			says   string // to one of the two
		}{
			"without-TLS":  {nil, secret, transport.ErrTLS, "have it"},
			"other-CA":     {stranger.config(), secret, transport.ErrTLS, "unknown authority"},
			"unknown-CA":   {mixed, secret, transport.ErrTLS, "unknown authority"},
			"expired":      {ca.config(expired), secret, transport.ErrTLS, "expired"},
			"wrong-secret": {ca.config(), "another", transport.ErrWrongSecret, "secret"},
			"no-secret":    {named, "", transport.ErrWrongSecret, "secret"},
		} {
			m := c.node(name, withTLS(bad.config, bad.secret))
			refused, refusedThere := len(right.told(node.LinkRefused)), len(m.told(node.LinkRefused))
			dialed := m.greets(home)
			if !errors.Is(dialed, bad.want) || !errors.Is(dialed, actor.LinkLost) {
				c.Errorf("%s dials: it was told %v", name, dialed)
			}
			saw := right.awaitTold(node.LinkRefused, refused).Err
			if !errors.Is(saw, bad.want) {
				c.Errorf("%s dials: the other was told %v", name, saw)
			}
			if !strings.Contains(fmt.Sprint(dialed, saw), bad.says) {
				c.Errorf("%s dials: %v; %v", name, dialed, saw)
			}
			back := right.greets(m.Spawn(echo))
			saw = m.awaitTold(node.LinkRefused, refusedThere).Err
			if !errors.Is(back, bad.want) || !errors.Is(saw, bad.want) || !strings.Contains(fmt.Sprint(back, saw), bad.says) {
				c.Errorf("%s is dialed: %v; %v", name, back, saw)
			}
		}
		good := c.node("good", withTLS(ca.config(), secret))
		c.ok(good.greets(home))
		if n := len(right.told(node.LinkUp)); n != 1 {
			c.Errorf("%d links", n)
		}
	})
}

func TestDialerWithoutACertificateIsRefused(t *testing.T) {
	overTCP(t, func(c *cluster) {
		ca := c.authority()
		config := ca.config()
		config.ClientAuth = tls.NoClientCert // is of no consequence
		a := c.node("a", withTLS(config, ""))
		err := c.strange(c.brief(), a, transport.Options{TLS: &tls.Config{RootCAs: ca.pool}})
		if !errors.Is(err, transport.ErrTLS) || !strings.Contains(err.Error(), "certificate required") {
			c.Errorf("it was told %v", err)
		}
		if f := a.awaitTold(node.LinkRefused, 0); !errors.Is(f.Err, transport.ErrTLS) {
			c.Errorf("the node was told %v", f.Err)
		}
	})
}

func TestServerNameIsAskedOfBothSides(t *testing.T) {
	overTCP(t, func(c *cluster) {
		ca := c.authority()
		with := func(cert, name string) *tls.Config {
			config := ca.config(func(t *x509.Certificate) { t.IPAddresses, t.DNSNames = nil, []string{cert} })
			config.ServerName = name
			return config
		}
		a, b := c.node("a", withTLS(with("company", "company"), "")), c.node("b", withTLS(with("company", "company"), ""))
		home := a.Spawn(echo)
		c.ok(b.greets(home))
		other := c.node("other", withTLS(with("elsewhere", "company"), ""))
		if err := other.greets(home); !errors.Is(err, transport.ErrTLS) {
			c.Errorf("one of another name dials: %v", err)
		}
		if err := a.greets(other.Spawn(echo)); !errors.Is(err, transport.ErrTLS) || !strings.Contains(err.Error(), "elsewhere") {
			c.Errorf("one of another name is dialed: %v", err)
		}
	})
}

// files writes a certificate, its key and the CA as PEM.
func (a *authority) files(dir string, pair tls.Certificate) (cert, key, ca string) {
	a.c.Helper()
	cert, key, ca = filepath.Join(dir, "node.pem"), filepath.Join(dir, "node.key"), filepath.Join(dir, "ca.pem")
	bare, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	a.c.ok(err)
	for name, block := range map[string]*pem.Block{
		cert: {Type: "CERTIFICATE", Bytes: pair.Certificate[0]},
		key:  {Type: "PRIVATE KEY", Bytes: bare},
		ca:   {Type: "CERTIFICATE", Bytes: a.cert.Raw},
	} {
		a.c.ok(os.WriteFile(name, pem.EncodeToMemory(block), 0o600))
	}
	return cert, key, ca
}

func TestReplacedCertificateServesTheNextLink(t *testing.T) {
	overTCP(t, func(c *cluster) {
		ca, dir := c.authority(), c.TempDir()
		cert, key, roots := ca.files(dir, ca.issue())
		config, err := node.TLSFromFiles(cert, key, roots)
		c.ok(err)
		a := c.node("a", withTLS(config, ""))
		home := a.Spawn(echo)
		serial := func(name string) int64 {
			var seen atomic.Int64
			config := ca.config()
			config.VerifyConnection = func(s tls.ConnectionState) error {
				seen.Store(s.PeerCertificates[0].SerialNumber.Int64())
				return nil
			}
			c.ok(c.node(name, withTLS(config, "")).greets(home))
			return seen.Load()
		}
		first := serial("b")
		ca.files(dir, ca.issue(func(t *x509.Certificate) { t.Subject.CommonName = "another" }))
		if second := serial("c"); second != ca.last-1 || second == first {
			c.Errorf("certificate %d was shown after %d", second, first)
		}
		c.ok(os.WriteFile(key, []byte("half a key"), 0o600))
		serial("d") // is shown the last that was whole
	})
}

func TestTLSFilesThatDoNotServeAreNamed(t *testing.T) {
	overTCP(t, func(c *cluster) {
		ca := c.authority()
		cert, key, roots := ca.files(c.TempDir(), ca.issue())
		other, _, _ := ca.files(c.TempDir(), ca.issue())
		for _, bad := range [][4]string{
			{"/no/such/cert", key, roots, "/no/such/cert"},
			{cert, "/no/such/key", roots, "/no/such/key"},
			{cert, key, "/no/such/ca", "/no/such/ca"},
			{cert, key, key, key},
			{other, key, roots, other},
		} {
			if _, err := node.TLSFromFiles(bad[0], bad[1], bad[2]); err == nil || !strings.Contains(err.Error(), bad[3]) {
				c.Errorf("%v: %v", bad, err)
			}
		}
	})
}

func TestTLSThatWouldLinkWithAnybodyIsRefused(t *testing.T) {
	overTCP(t, func(c *cluster) {
		whole := c.authority().config()
		for says, change := range map[string]func(*tls.Config){
			"certificate":        func(t *tls.Config) { t.Certificates = nil },
			"RootCAs":            func(t *tls.Config) { t.RootCAs = nil },
			"InsecureSkipVerify": func(t *tls.Config) { t.InsecureSkipVerify = true },
			"1.3":                func(t *tls.Config) { t.MaxVersion = tls.VersionTLS12 },
		} {
			config := whole.Clone()
			change(config)
			_, err := node.Start(c.Context(), node.Config{ZooKeeper: c.servers, TLS: config})
			if !errors.Is(err, node.ErrConfig) || !strings.Contains(err.Error(), says) {
				c.Errorf("%s: %v", says, err)
			}
		}
	})
}
