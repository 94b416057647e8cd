package gateway_test

import (
	"context"
	"crypto/tls"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"conclave/conclavetest"
	"conclave/gateway"
	"conclave/task"
)

func TestOneOfTheTokensIsNeeded(t *testing.T) {
	tokens := []string{"the-first-of-the-tokens", "the-second-of-the-tokens"}
	keepShop(t, gateway.Config{Tokens: tokens}, func(s *shop) {
		for header, status := range map[string]int{
			"Bearer " + tokens[0]:           200,
			"bearer  " + tokens[1]:          200,
			"":                              401,
			"Bearer":                        401,
			"Bearer ":                       401,
			"Basic " + tokens[0]:            401,
			tokens[0]:                       401,
			"Bearer " + tokens[0] + "x":     401,
			"Bearer " + tokens[0][:20]:      401,
			"Bearer a-token-of-another-one": 401,
		} {
			a, err := s.try(s.Context(), "GET", "/v1/nodes", "", func(r *http.Request) {
				r.Header.Del("Authorization")
				if header != "" {
					r.Header.Set("Authorization", header)
				}
			})
			if err != nil || a.status != status || (status == 401) != (a.header.Get("WWW-Authenticate") != "") {
				s.Errorf("with %q: %d, %v, %s", header, a.status, err, a.text)
			}
		}
		s.token = ""
		for _, path := range []string{"/healthz", "/readyz", "/openapi.json"} {
			s.want(200, "GET", path, "")
		}
		s.refuse(401, "unauthorized", "POST", at+"/tasks", `{"kind": "a"}`)
		s.refuse(401, "unauthorized", "POST", at+"/tasks", strings.Repeat("x", 2<<20)) // not even read
	})
}

func TestGatewayWithoutTokensIsNotForWebPages(t *testing.T) {
	keepShop(t, gateway.Config{}, func(s *shop) {
		for host, status := range map[string]int{
			"localhost": 200, "localhost:8080": 200, "127.0.0.1:8080": 200, "[::1]:8080": 200, "LOCALHOST": 200,
			"evil.example": 403, "localhost.evil.example:8080": 403,
		} {
			a, err := s.try(s.Context(), "GET", "/v1/nodes", "", func(r *http.Request) { r.Host = host })
			if err != nil || a.status != status {
				s.Errorf("asked as %s: %d, %v", host, a.status, err)
			}
		}
		for _, kind := range []string{"", "text/plain", "application/x-www-form-urlencoded", "application/jsonp", ";;"} {
			a, err := s.try(s.Context(), "POST", at+"/tasks", `{"kind": "a"}`, func(r *http.Request) {
				r.Header.Del("Content-Type")
				if kind != "" {
					r.Header.Set("Content-Type", kind)
				}
			})
			if err != nil || a.status != 415 || a.code() != "not_json" {
				s.Errorf("a body of type %q: %d, %v", kind, a.status, err)
			}
		}
	})
}

func TestStrayRequestsAreToldWhatThereIs(t *testing.T) {
	keepShop(t, gateway.Config{}, func(s *shop) {
		for _, path := range []string{"/", "/v1", "/v2/nodes", at, at + "/tasks/a/b", at + "/leases/x/sleep", "/favicon.ico"} {
			s.refuse(404, "no_route", "GET", path, "")
		}
		for path, method := range map[string]string{"/v1/nodes": "POST", at + "/batch": "GET", at + "/tasks": "PUT", at + "/leases": "DELETE", "/healthz": "PATCH"} {
			if a := s.refuse(405, "method_not_allowed", method, path, ""); a.header.Get("Allow") == "" {
				s.Errorf("%s %s: it does not say what is allowed", method, path)
			}
		}
	})
}

// A request must come soon; what it waits for may take long.
func TestSlowRequestIsCutOffAndALongPollIsNot(t *testing.T) {
	keepShop(t, gateway.Config{MaxWait: 10 * time.Minute, Beat: time.Hour}, func(s *shop) {
		for _, begun := range []string{"", "POST /v1/scopes/shop/tasks HTTP/1.1\r\nHost: local", "POST /v1/scopes/shop/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"} {
			conn, err := s.pipes.dial(s.Context())
			if err != nil {
				s.Fatal(err)
			}
			began := time.Now()
			conn.Write([]byte(begun))
			buffer := make([]byte, 1<<10)
			for err == nil {
				_, err = conn.Read(buffer)
			}
			conn.Close()
			if took := time.Since(began); took > 31*time.Second {
				s.Errorf("who had sent %q was heard for %v", begun, took)
			}
		}
		go func() {
			time.Sleep(9 * time.Minute)
			s.submit("a", "")
		}()
		began := time.Now()
		s.want(200, "POST", at+"/leases", `{"kinds": ["a"], "wait": "10m"}`)
		if took := time.Since(began); took < 9*time.Minute {
			s.Errorf("a task came after %v", took)
		}
	})
}

func TestGatewayBeyondLoopbackWantsTokensAndTLS(t *testing.T) {
	const token = "a-token-of-enough-bytes"
	everywhere, here := &net.TCPAddr{IP: net.IPv4zero, Port: 1}, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}
	conclavetest.Run(t, 0, 1, func(c *conclavetest.Cluster) {
		for _, test := range []struct {
			addr      net.Addr
			cfg       gateway.Config
			encrypted bool
			says      string // "": it serves
		}{
			{everywhere, gateway.Config{}, true, "no tokens"},
			{everywhere, gateway.Config{Tokens: []string{token}}, false, "without TLS"},
			{everywhere, gateway.Config{Tokens: []string{token}}, true, ""},
			{everywhere, gateway.Config{Insecure: true}, false, ""},
			{here, gateway.Config{}, false, ""},
			{&net.TCPAddr{IP: net.IPv6loopback}, gateway.Config{}, false, ""},
		} {
			test.cfg.Node = c.Node(0).Node
			g, err := gateway.New(test.cfg)
			if err != nil {
				c.Fatal(err)
			}
			var encrypted *tls.Config
			if test.encrypted {
				encrypted = &tls.Config{}
			}
			ctx, cancel := context.WithCancel(c.Context())
			ended := make(chan error)
			go func() { ended <- g.Serve(ctx, listensAt{newPipes(), test.addr}, encrypted) }()
			c.Settle()
			cancel()
			err = <-ended
			if test.says == "" && err != nil || test.says != "" && (!errors.Is(err, gateway.ErrConfig) || !strings.Contains(err.Error(), test.says)) {
				c.Errorf("at %v with %+v, TLS %t: %v; want %q", test.addr, test.cfg.Tokens, test.encrypted, err, test.says)
			}
		}
	})
}

// listensAt says that it listens elsewhere.
type listensAt struct {
	*pipes
	addr net.Addr
}

func (l listensAt) Addr() net.Addr { return l.addr }

func TestBadConfigurationsSayWhy(t *testing.T) {
	conclavetest.Run(t, 0, 1, func(c *conclavetest.Cluster) {
		n, guest := c.Node(0).Node, c.Guest("guest").Node
		for says, cfg := range map[string]gateway.Config{
			"no Node":           {},
			"guest":             {Node: guest},
			"scope":             {Node: n, Scopes: []string{"a/b"}},
			"16 are needed":     {Node: n, Tokens: []string{"a-token-of-enough-bytes", "short"}},
			"visible":           {Node: n, Tokens: []string{"a token with spaces in it"}},
			"no Scopes":         {Node: n, Tasks: task.Config{Parts: 8}},
			"bound below zero":  {Node: n, MaxWait: -1},
			"bound below zero ": {Node: n, MaxBody: -1},
		} {
			_, err := gateway.New(cfg)
			if !errors.Is(err, gateway.ErrConfig) || !strings.Contains(err.Error(), strings.TrimSpace(says)) {
				c.Errorf("%v, want %q", err, says)
			} else if strings.Contains(err.Error(), "short") || strings.Contains(err.Error(), "spaces in it") {
				c.Errorf("it tells a token: %v", err)
			}
		}
	})
	for text, want := range map[string]string{
		"": "no token", "# none\n\n": "no token", "short\n": "line 1", "# one\nthis-is-a-good-token\nbad": "line 3",
	} {
		if _, err := gateway.ReadTokens(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("tokens from %q: %v", text, err)
		}
	}
	tokens, err := gateway.ReadTokens(strings.NewReader("# ours\n this-is-a-good-token \r\n\nand-another-good-one"))
	if err != nil || !slices.Equal(tokens, []string{"this-is-a-good-token", "and-another-good-one"}) {
		t.Errorf("tokens: %q, %v", tokens, err)
	}
}

// Every sentinel of package task has a status and a code of its own here.
func TestEveryErrorOfPackageTaskHasACode(t *testing.T) {
	all := make(map[string]bool)
	files, err := filepath.Glob("../task/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if g, is := d.(*ast.GenDecl); is && g.Tok == token.VAR {
				for _, s := range g.Specs {
					for _, name := range s.(*ast.ValueSpec).Names {
						if strings.HasPrefix(name.Name, "Err") {
							all[name.Name] = true
						}
					}
				}
			}
		}
	}
	if len(all) < 15 {
		t.Errorf("only %d were found", len(all))
	}
	mapped, err := parser.ParseFile(token.NewFileSet(), "errors.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(mapped, func(n ast.Node) bool {
		if s, is := n.(*ast.CompositeLit); is && len(s.Elts) == 4 {
			if name, is := s.Elts[0].(*ast.SelectorExpr); is && name.X.(*ast.Ident).Name == "task" {
				delete(all, name.Sel.Name)
			}
		}
		return true
	})
	if len(all) > 0 {
		t.Errorf("these have none: %v", all)
	}
}
