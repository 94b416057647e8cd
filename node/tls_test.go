package node_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"testing"
	"time"

	"conclave/actor"
	"conclave/node"
	"conclave/transport"
)

func TestNodesLinkOverTLS(t *testing.T) {
	overTCP(t, func(c *cluster) {
		config := selfSigned(c)
		secured := func(cfg *node.Config) { cfg.TLS = config }
		a, b := c.node("a", secured), c.node("b", secured)
		callee := b.Spawn(echo)
		if said, err := actor.Call[string](a.With(c.brief()), callee, "hello"); said != "hello" {
			c.Errorf("%q, %v", said, err)
		}
		// Who does not speak TLS, or trusts somebody else, is refused.
		for name, cfg := range map[string]*tls.Config{"plain": nil, "other": selfSigned(c)} {
			m := c.node(name, func(c *node.Config) { c.TLS = cfg })
			if _, err := actor.Call[string](m.With(c.brief()), callee, "hello"); !errors.Is(err, actor.LinkLost) || !errors.Is(err, transport.ErrHandshake) {
				c.Errorf("%s: %v", name, err)
			}
		}
		if n := len(b.told(node.LinkUp)); n != 1 {
			c.Errorf("%d links", n)
		}
	})
}

// selfSigned is a configuration that trusts itself only.
func selfSigned(c *cluster) *tls.Config {
	c.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	c.ok(err)
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "conclave"},
		NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	c.ok(err)
	cert, err := x509.ParseCertificate(der)
	c.ok(err)
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	pair := tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	return &tls.Config{
		Certificates: []tls.Certificate{pair}, RootCAs: pool,
		ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert,
	}
}
