package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const gatewayToken = "a-token-for-the-tests"

// certificate writes one for 127.0.0.1, and its key, into files.
func certificate(t *testing.T) (cert, key string, roots *x509.CertPool) {
	t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	signed, err := x509.CreateCertificate(rand.Reader, about, about, &secret.PublicKey, secret)
	if err != nil {
		t.Fatal(err)
	}
	text, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	roots = x509.NewCertPool()
	inPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed})
	roots.AppendCertsFromPEM(inPEM)
	for path, block := range map[string][]byte{cert: inPEM, key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text})} {
		if err := os.WriteFile(path, block, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key, roots
}

// front is a gateway that runs as a process of its own.
type front struct {
	*running
	url  string
	http http.Client
}

func (p place) gateway(t *testing.T, roots *x509.CertPool, flags ...string) *front {
	t.Helper()
	tokens := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(tokens, []byte("# for tests\n"+gatewayToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := start(t, append([]string{"gateway", "-zk", p.z.Addr, "-root", p.z.Root, "-session-timeout", p.T.String(),
		"-listen", "127.0.0.1:0", "-scopes", "shop", "-token-file", tokens, "-drain", "2s"}, flags...)...)
	url, _, _ := strings.Cut(r.says("a gateway on ", 1), ": ")
	f := &front{running: r, url: url}
	f.http.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	t.Cleanup(f.http.CloseIdleConnections)
	return f
}

// ask makes a request, wants that status, and returns the answer.
func (f *front) ask(status int, method, path, body string) (answer map[string]any) {
	f.t.Helper()
	r, err := http.NewRequestWithContext(f.t.Context(), method, f.url+path, strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+gatewayToken)
	r.Header.Set("Content-Type", "application/json")
	got, err := f.http.Do(r)
	if err != nil {
		f.t.Fatal(err)
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	if got.StatusCode != status {
		f.t.Fatalf("%s %s: %d, want %d: %s", method, path, got.StatusCode, status, text)
	}
	json.Unmarshal(text, &answer)
	return answer
}

const shop = "/v1/scopes/shop"

func TestGatewayServesOverTLSUntilItIsToldToEnd(t *testing.T) {
	everywhere(t, 10*time.Second, func(t *testing.T, p place) {
		cert, key, roots := certificate(t)
		f := p.gateway(t, roots, "-https-cert", cert, "-https-key", key)
		if !strings.HasPrefix(f.url, "https://127.0.0.1:") {
			t.Fatal("it serves at", f.url)
		}
		id := f.ask(201, "POST", shop+"/tasks", `{"kind": "add", "body": [1, 9007199254740993]}`)["id"].(string)
		lease := f.ask(200, "POST", shop+"/leases", `{"kinds": ["add"]}`)
		f.ask(200, "POST", shop+"/leases/"+lease["lease"].(string)+"/complete", `{"result": {"sum": 3}}`)
		if done := f.ask(200, "GET", shop+"/tasks/"+id+"/wait", ""); done["state"] != "done" {
			t.Errorf("it ended as %v", done)
		}
		old := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
		if conn, err := tls.Dial("tcp", strings.TrimPrefix(f.url, "https://"), old); err == nil {
			conn.Close()
			t.Error("TLS 1.1 is served")
		}
		f.signal(syscall.SIGTERM)
		f.endsAlone(exitOK)
		if log := strings.Join(f.said(""), "\n"); strings.Contains(log, gatewayToken) || strings.Contains(log, lease["lease"].(string)) {
			t.Error("the log tells secrets")
		}
	})
}

func TestTasksOfAKilledGatewayAreLeasedByTheNext(t *testing.T) {
	everywhere(t, 4*time.Second, func(t *testing.T, p place) {
		first := p.gateway(t, nil)
		id := first.ask(201, "POST", shop+"/tasks", `{"kind": "add"}`)["id"].(string)
		lost := first.ask(200, "POST", shop+"/leases", `{"kinds": ["add"]}`)["lease"].(string)
		second := p.gateway(t, nil)
		first.signal(syscall.SIGKILL)
		first.ends(-1)
		lease := second.ask(200, "POST", shop+"/leases", `{"kinds": ["add"], "wait": "50s"}`)
		if lease["id"] != id || lease["attempt"] != 2.0 {
			t.Errorf("after the gateway's death: %v", lease)
		}
		second.ask(404, "POST", shop+"/leases/"+lost+"/complete", "")
		second.ask(200, "POST", shop+"/leases/"+lease["lease"].(string)+"/complete", "")
		if done := second.ask(200, "GET", shop+"/tasks/"+id+"/wait", ""); done["state"] != "done" {
			t.Errorf("it ended as %v", done)
		}
	})
}

// logged is what was said by then: a node may log a moment longer.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func TestGatewayRefusesBadCommandLines(t *testing.T) {
	cert, key, _ := certificate(t)
	short := filepath.Join(t.TempDir(), "short")
	if err := os.WriteFile(short, []byte("hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for says, args := range map[string][]string{
		"no tokens say who":         {"-listen", "0.0.0.0:0"},
		"without TLS":               {"-listen", "0.0.0.0:0", "-token", gatewayToken},
		"is not host:port":          {"-listen", "8080"},
		"no such file":              {"-token-file", "/nowhere"},
		"line 1: it has 7 bytes":    {"-token-file", short},
		"token 1: it has 3 bytes":   {"-token", "abc"},
		"is of no use without":      {"-https-cert", cert},
		"-https-key":                {"-https-cert", key, "-https-key", key},
		"-max-wait 0s is no time":   {"-max-wait", "0"},
		"-max-polls 0 lets nothing": {"-max-polls", "0"},
		"at most 262144":            {"-max-body", "1000000"},
		"-parts 300: 0 to 256":      {"-parts", "300"},
		"-scopes names":             {"-parts", "8"},
		`scope "a/b"`:               {"-scopes", "shop,a/b"},
		"unexpected argument":       {"shop"},
		"not of the form user":      {"-zk-auth", "me"},
		"-secret and -secret-file":  {"-secret", "a", "-secret-file", "b"},
		"not defined: -colour":      {"-colour"},
	} {
		var out bytes.Buffer
		var errs logged
		if code := run(t.Context(), append([]string{"gateway", "-zk", "127.0.0.1:1"}, args...), &out, &errs); code != exitUsage || !strings.Contains(errs.String(), says) {
			t.Errorf("%q: code %d, %q; want %q", args, code, errs.String(), says)
		}
		if strings.Contains(errs.String(), "hunter2") {
			t.Errorf("%q tells a token", args)
		}
	}
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"gateway", "-h"}, &out, &errs); code != exitOK || !strings.Contains(out.String(), "-token-file") || !strings.Contains(out.String(), "openapi.json") {
		t.Errorf("help: code %d\n%s%s", code, &out, &errs)
	}
}
