package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"conclave/conclavetest"
	"conclave/gateway"
	"conclave/task"
)

// pipes is a listener in memory.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) dial(ctx context.Context) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p.conns <- theirs:
		return ours, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes", Net: "unix"} }

// gate is a gateway that is served in memory, and a client of it.
type gate struct {
	t     *testing.T
	pipes *pipes
	http  *http.Client
	token string
	book  *book
	loose bool // requests need not be as described to be taken: an optional field may be null
	end   context.CancelFunc
	ended chan error
	once  sync.Once
	dead  bool // so that it cannot stop in order
	log   *bytes.Buffer
}

// open serves a gateway on a node of a cluster until the test ends.
func open(c *conclavetest.Cluster, cfg gateway.Config) *gate {
	c.Helper()
	s := &gate{t: c.T, pipes: newPipes(), book: theBook(c.T), ended: make(chan error, 1), log: new(bytes.Buffer)}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(&locked{w: s.log}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	if len(cfg.Tokens) > 0 {
		s.token = cfg.Tokens[0]
	}
	g, err := gateway.New(cfg)
	if err != nil {
		c.Fatal(err)
	}
	ctx, end := context.WithCancel(context.Background())
	s.end = end
	go func() { s.ended <- g.Serve(ctx, s.pipes, nil) }()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return s.pipes.dial(ctx) }}
	s.http = &http.Client{Transport: transport}
	c.Cleanup(func() {
		s.stop()
		if c.Failed() {
			lines := strings.Split(s.log.String(), "\n")
			c.Logf("the end of the gateway's log:\n%s", strings.Join(lines[max(len(lines)-40, 0):], "\n"))
		}
	})
	return s
}

// stop ends the gateway in order.
func (s *gate) stop() {
	s.once.Do(func() {
		s.end()
		s.http.CloseIdleConnections()
		if err := <-s.ended; err != nil && !s.dead {
			s.t.Errorf("Serve: %v", err)
		}
	})
}

// answer is what the gateway has said.
type answer struct {
	status int
	header http.Header
	text   string
	body   map[string]any // numbers are json.Number
}

// code is that of an error.
func (a answer) code() string {
	e, _ := a.body["error"].(map[string]any)
	code, _ := e["code"].(string)
	return code
}

func (a answer) str(name string) string {
	text, _ := a.body[name].(string)
	return text
}

// ask makes a request with a JSON body ("" for none), and checks the answer against
// the description.
func (s *gate) ask(method, path, body string) answer {
	s.t.Helper()
	a, err := s.try(context.Background(), method, path, body)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

func (s *gate) try(ctx context.Context, method, path, body string, change ...func(*http.Request)) (a answer, err error) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, "http://localhost"+path, strings.NewReader(body))
	if err != nil {
		return a, err
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if s.token != "" {
		r.Header.Set("Authorization", "Bearer "+s.token)
	}
	for _, f := range change {
		f(r)
	}
	got, err := s.http.Do(r)
	if err != nil {
		return a, err
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		return a, err
	}
	a = answer{status: got.StatusCode, header: got.Header, text: string(text)}
	if len(text) > 0 {
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		if err := d.Decode(&a.body); err != nil {
			s.t.Errorf("%s %s: %d: the answer is not JSON: %v: %q", method, path, a.status, err, text)
		}
	}
	if err := s.book.check(method, path, a); err != nil {
		s.t.Errorf("%s %s: the answer is not as described: %v\n%d %s", method, path, err, a.status, text)
	}
	if a.status < 300 && body != "" && !s.loose {
		if err := s.book.checkRequest(method, path, body); err != nil {
			s.t.Errorf("%s %s: it was taken although not as described: %v\n%s", method, path, err, body)
		}
	}
	return a, nil
}

// want asks and wants that status.
func (s *gate) want(status int, method, path, body string) answer {
	s.t.Helper()
	a := s.ask(method, path, body)
	if a.status != status {
		s.t.Fatalf("%s %s %s: %d, want %d: %s", method, path, body, a.status, status, a.text)
	}
	return a
}

// refuse asks and wants an error of that status and code.
func (s *gate) refuse(status int, code, method, path, body string) answer {
	s.t.Helper()
	a := s.ask(method, path, body)
	if a.status != status || a.code() != code {
		s.t.Errorf("%s %s %.200s: %d %q, want %d %q: %s", method, path, body, a.status, a.code(), status, code, a.text)
	}
	return a
}

// locked is a writer for many goroutines.
type locked struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

// response is what is said of an answer, there or at Ref.
type response struct {
	Ref     string `json:"$ref"`
	Content map[string]struct{ Schema map[string]any }
}

// book is the gateway's own description, to check answers against.
type book struct {
	doc struct {
		Components struct{ Responses map[string]response }
		Paths      map[string]map[string]struct {
			OperationID string `json:"operationId"`
			Responses   map[string]response
			RequestBody struct {
				Content map[string]struct{ Schema map[string]any }
			}
		}
	}
	compiler *jsonschema.Compiler

	mu      sync.Mutex
	schemas map[string]*jsonschema.Schema
	seen    map[string]bool // operation and status
}

var theBook = func() func(*testing.T) *book {
	var b *book
	return func(t *testing.T) *book {
		if b == nil {
			b = newBook(t, gateway.Description())
		}
		return b
	}
}()

func newBook(t *testing.T, text []byte) *book {
	t.Helper()
	b := &book{compiler: jsonschema.NewCompiler(), schemas: make(map[string]*jsonschema.Schema), seen: make(map[string]bool)}
	if err := json.Unmarshal(text, &b.doc); err != nil {
		t.Fatal(err)
	}
	whole, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	b.compiler.AssertFormat()
	b.compiler.DefaultDraft(jsonschema.Draft2020)
	if err := b.compiler.AddResource("openapi.json", whole); err != nil {
		t.Fatal(err)
	}
	return b
}

// path is the described path that a request's path is one of.
func (b *book) path(path string) string {
	path, _, _ = strings.Cut(path, "?")
	parts := strings.Split(path, "/")
	best := ""
	for pattern := range b.doc.Paths {
		fits, literal := true, 0
		words := strings.Split(pattern, "/")
		for i := range words {
			if len(words) != len(parts) || words[i] != parts[i] && !strings.HasPrefix(words[i], "{") {
				fits = false
				break
			}
			if words[i] == parts[i] {
				literal++
			}
		}
		if fits && (best == "" || literal > len(strings.Split(best, "/"))-strings.Count(best, "{")) {
			best = pattern
		}
	}
	return best
}

// check says what is wrong with an answer.
func (b *book) check(method, path string, a answer) error {
	at := b.path(path)
	op, there := b.doc.Paths[at][strings.ToLower(method)]
	if !there {
		if a.status == http.StatusNotFound || a.status == http.StatusMethodNotAllowed {
			return b.fits("#/components/schemas/Error", a.text)
		}
		return fmt.Errorf("no such route is described")
	}
	r, there := op.Responses[fmt.Sprint(a.status)]
	if !there {
		return fmt.Errorf("no status %d is described of %s", a.status, op.OperationID)
	}
	if name, is := strings.CutPrefix(r.Ref, "#/components/responses/"); is {
		if r, there = b.doc.Components.Responses[name]; !there {
			return fmt.Errorf("there is no response %q", name)
		}
	}
	b.mu.Lock()
	b.seen[fmt.Sprint(op.OperationID, " ", a.status)] = true
	b.mu.Unlock()
	if len(r.Content) == 0 {
		if a.text != "" {
			return fmt.Errorf("it has a body")
		}
		return nil
	}
	ref, _ := r.Content["application/json"].Schema["$ref"].(string)
	return b.fits(ref, a.text)
}

// checkRequest says how a request is not as described.
func (b *book) checkRequest(method, path, body string) error {
	op := b.doc.Paths[b.path(path)][strings.ToLower(method)]
	ref, _ := op.RequestBody.Content["application/json"].Schema["$ref"].(string)
	return b.fits(ref, body)
}

// fits checks a body.
func (b *book) fits(ref, text string) error {
	schema, err := b.schema(ref)
	if err != nil {
		return err
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return err
	}
	return schema.Validate(v)
}

func (b *book) schema(ref string) (*jsonschema.Schema, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s := b.schemas[ref]; s != nil {
		return s, nil
	}
	s, err := b.compiler.Compile("openapi.json" + ref)
	b.schemas[ref] = s
	return s, err
}

// shop is a cluster of three: node 0 dispatches and works, the gateway is on node 1.
type shop struct {
	*conclavetest.Cluster
	*gate
	q *task.Queue // node 0's
}

const at = "/v1/scopes/shop"

// keepShop runs a test in a shop.
func keepShop(t *testing.T, cfg gateway.Config, test func(s *shop)) {
	t.Helper()
	keepShopOf(t, task.Config{}, cfg, test)
}

func keepShopOf(t *testing.T, tasks task.Config, cfg gateway.Config, test func(s *shop)) {
	t.Helper()
	conclavetest.Run(t, 0, 3, func(c *conclavetest.Cluster) {
		s := &shop{Cluster: c}
		var err error
		if s.q, err = task.Open(c.Node(0).Node, "shop", tasks); err != nil {
			c.Fatal(err)
		}
		if tasks.Parts < 2 {
			c.AwaitHolder("task:shop")
		}
		cfg.Node = c.Node(1).Node
		s.gate = open(c, cfg)
		test(s)
		s.gate.stop()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		s.q.Close(ctx)
	})
}

// taskAt is a task's path.
func taskAt(id string) string { return at + "/tasks/" + url.PathEscape(id) }
