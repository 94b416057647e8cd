package node

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// TLSFromFiles is a [Config.TLS] from files in PEM form: the node's certificate
// (followed by those between it and the CA, if any), its key, and the certificates
// of the cluster's CA, one or more. A certificate and key that are replaced on disk
// serve the next link, without a restart; a new CA must be in the file, beside the
// old one, when the node starts. While the files do not fit together the last ones
// that did are used.
//
// Certificates must name the hosts that nodes are dialed at. Set ServerName in what
// is returned, and they must all carry that name instead.
func TLSFromFiles(certificate, key, ca string) (*tls.Config, error) {
	text, err := os.ReadFile(ca)
	if err != nil {
		return nil, fmt.Errorf("the cluster's CA: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("the cluster's CA: %s holds no certificate in PEM form", ca)
	}
	pair := &pairOnDisk{certificate: certificate, key: key}
	if _, err := pair.get(); err != nil {
		return nil, fmt.Errorf("the node's certificate %s and key %s: %w", certificate, key, err)
	}
	return &tls.Config{
		RootCAs:              roots,
		GetCertificate:       func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return pair.get() },
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return pair.get() },
	}, nil
}

// pairOnDisk is a certificate and its key, read again when the files have changed.
type pairOnDisk struct {
	certificate, key string

	mu     sync.Mutex
	stamps [2]stamp
	last   *tls.Certificate
}

// stamp tells that a file has changed.
type stamp struct {
	at   time.Time
	size int64
}

func (p *pairOnDisk) get() (*tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var stamps [2]stamp
	for i, name := range []string{p.certificate, p.key} {
		if info, err := os.Stat(name); err == nil {
			stamps[i] = stamp{info.ModTime(), info.Size()}
		}
	}
	if p.last != nil && stamps == p.stamps {
		return p.last, nil
	}
	pair, err := tls.LoadX509KeyPair(p.certificate, p.key)
	if err != nil {
		if p.last != nil {
			return p.last, nil // it is being replaced just now, perhaps
		}
		return nil, err
	}
	p.last, p.stamps = &pair, stamps
	return p.last, nil
}

// mutual is what becomes of [Config.TLS]: each side of a link asks the other for a
// certificate of the cluster's CA.
func mutual(c *tls.Config) (*tls.Config, error) {
	ownCheck := c.VerifyPeerCertificate != nil || c.VerifyConnection != nil
	server := len(c.Certificates) > 0 || c.GetCertificate != nil || c.GetConfigForClient != nil
	client := len(c.Certificates) > 0 || c.GetClientCertificate != nil
	switch {
	case !server || !client:
		return nil, errors.New("a node needs a certificate as server and as client: set Certificates, or both GetCertificate and GetClientCertificate")
	case c.InsecureSkipVerify && !ownCheck:
		return nil, errors.New("InsecureSkipVerify without a VerifyConnection would link with anybody")
	case c.RootCAs == nil && !c.InsecureSkipVerify:
		return nil, errors.New("RootCAs must hold the CA of the cluster: the system's would let in everybody who has a certificate of the web")
	case c.MaxVersion != 0 && c.MaxVersion < tls.VersionTLS13:
		return nil, errors.New("links need TLS 1.3: MaxVersion is lower")
	}
	c = c.Clone()
	c.MinVersion = tls.VersionTLS13
	if c.ClientCAs == nil {
		c.ClientCAs = c.RootCAs
	}
	switch {
	case c.ClientAuth == tls.RequireAnyClientCert && ownCheck:
	default:
		c.ClientAuth = tls.RequireAndVerifyClientCert
	}
	if name, also := c.ServerName, c.VerifyConnection; name != "" && !c.InsecureSkipVerify {
		c.VerifyConnection = func(s tls.ConnectionState) error {
			if err := s.PeerCertificates[0].VerifyHostname(name); err != nil {
				return err // of a dialer, too, of whom TLS itself asks for no name
			}
			if also != nil {
				return also(s)
			}
			return nil
		}
	}
	if choose := c.GetConfigForClient; choose != nil {
		c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			chosen, err := choose(hello)
			if err != nil || chosen == nil {
				return nil, err
			}
			return mutual(chosen)
		}
	}
	return c, nil
}
