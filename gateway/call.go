package gateway

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
)

// call is one request on its way.
type call struct {
	g      *Gateway
	r      *http.Request
	w      http.ResponseWriter
	ctx    context.Context // ends with the request's connection, and with the gateway
	text   []byte          // the request's body
	status int             // of the answer, if all goes well
	after  func(error)     // told whether the answer could be written; may be nil
}

// statusGone is logged where nobody is left to be answered.
const statusGone = 499

// handler is what a route does for HTTP.
func (g *Gateway) handler(to *route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began, id := time.Now(), requestID(r)
		w.Header().Set("X-Request-Id", id)
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		end := g.ctx
		if to.poll {
			end = g.draining
		}
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(end, cancel)()
		c := &call{g: g, r: r, w: w, ctx: ctx, status: to.status}
		answer, err := c.do(to)
		if err != nil {
			switch {
			case r.Context().Err() != nil:
				err = &problem{Status: statusGone, Code: "gone", Message: "the client has gone: " + err.Error()}
			case end.Err() != nil && errors.Is(err, context.Canceled) && problemOf(err).Code != "unknown_outcome":
				err = errStopping
			}
			p := problemOf(err)
			c.status, answer = p.Status, map[string]any{"error": p}
			if p.retry > 0 {
				w.Header().Set("Retry-After", strconv.Itoa(p.retry))
			}
		}
		wrote := c.write(answer)
		if c.after != nil {
			c.after(wrote)
		}
		g.logRequest(to, c, id, time.Since(began), errors.Join(err, wrote))
	})
}

// do does the work. A panic is an error of ours.
func (c *call) do(to *route) (answer any, err error) {
	defer func() {
		if r := recover(); r != nil {
			c.g.cfg.Logger.Error("gateway: a request panicked", "route", to.path, "panic", r, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	if !to.open {
		if err := c.allowed(); err != nil {
			return nil, err
		}
	}
	if err := c.read(); err != nil {
		return nil, err
	}
	if to.takes == "" && len(c.text) > 0 && to.method != "" {
		return nil, badRequest("this takes no body")
	}
	if to.poll {
		if c.g.draining.Err() != nil {
			return nil, errStopping
		}
		select {
		case c.g.polls <- struct{}{}:
			defer func() { <-c.g.polls }()
		default:
			return nil, &problem{Status: http.StatusTooManyRequests, Code: "too_many_polls", Message: fmt.Sprintf("%d requests wait already", cap(c.g.polls)), retry: 1}
		}
	}
	return to.handle(c)
}

// allowed says whether the request may be made at all.
func (c *call) allowed() error {
	if len(c.g.tokens) == 0 {
		// Then whoever reaches loopback is listened to. Web pages reach it as well,
		// through a browser, but only under a name of their own.
		if host := c.r.Host; !localHost(host) && !c.g.cfg.Insecure {
			return &problem{Status: http.StatusForbidden, Code: "forbidden", Message: fmt.Sprintf("the gateway has no tokens, so requests must be made to localhost or an address, not to %q", host)}
		}
		return nil
	}
	scheme, token, _ := strings.Cut(c.r.Header.Get("Authorization"), " ")
	sum, found := sha256.Sum256([]byte(strings.TrimSpace(token))), 0
	for _, known := range c.g.tokens { // all of them: how long it takes tells nothing
		found |= subtle.ConstantTimeCompare(sum[:], known[:])
	}
	if found == 0 || !strings.EqualFold(scheme, "Bearer") {
		c.w.Header().Set("WWW-Authenticate", `Bearer realm="conclave"`)
		return &problem{Status: http.StatusUnauthorized, Code: "unauthorized", Message: "a header \"Authorization: Bearer TOKEN\" with one of the gateway's tokens is needed"}
	}
	return nil
}

func localHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil || strings.EqualFold(host, "localhost")
}

// read takes the request's body in, all of it: then the time that a request has to
// come counts no more.
func (c *call) read() (err error) {
	if c.text, err = io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, c.g.cfg.MaxBody)); err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return &problem{Status: http.StatusRequestEntityTooLarge, Code: "too_large", Message: fmt.Sprintf("the request's body has more than %d bytes", large.Limit)}
		}
		return badRequest("the request's body: %v", err)
	}
	if len(c.text) == 0 {
		return nil
	}
	if kind, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return &problem{Status: http.StatusUnsupportedMediaType, Code: "not_json", Message: fmt.Sprintf("a body must come with \"Content-Type: application/json\", not with %q", c.r.Header.Get("Content-Type"))}
	}
	return nil
}

// into reads the request's body as what into points at. No body is an empty object.
func (c *call) into(into any) error {
	if len(c.text) == 0 {
		return nil
	}
	if text := bytes.TrimLeft(c.text, " \t\r\n"); !bytes.HasPrefix(text, []byte("{")) {
		return badRequest("the request's body must be an object")
	}
	d := json.NewDecoder(bytes.NewReader(c.text))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err == nil {
		if _, more := d.Token(); more != io.EOF {
			err = errors.New("something follows the object")
		}
	}
	var p *problem
	var wrong *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &p):
		return p
	case errors.As(err, &wrong):
		return badRequest("%q must not be a %s", wrong.Field, wrong.Value)
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return badRequest("the request's body ends too early")
	}
	return badRequest("the request's body: %s", strings.TrimPrefix(err.Error(), "json: "))
}

// write answers. Nothing is said with 204.
func (c *call) write(answer any) error {
	if c.status == http.StatusNoContent {
		c.w.WriteHeader(c.status)
		return nil
	}
	text, is := answer.(json.RawMessage)
	if !is {
		var err error
		if text, err = json.Marshal(answer); err != nil {
			c.status, text = http.StatusInternalServerError, []byte(`{"error":{"code":"internal","message":"the answer cannot be written as JSON"}}`)
			defer c.g.cfg.Logger.Error("gateway: an answer cannot be written as JSON", "error", err)
		}
	}
	c.w.Header().Set("Content-Type", "application/json")
	c.w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	c.w.WriteHeader(c.status)
	if _, err := c.w.Write(text); err != nil {
		return err
	}
	// Whether the client is still there says nothing any more: one that has read the
	// answer may have closed its connection.
	if err := http.NewResponseController(c.w).Flush(); !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

// logRequest writes a line. Neither paths nor queries are in it, as leases' ids are
// secrets and keys may be somebody's business.
func (g *Gateway) logRequest(to *route, c *call, id string, took time.Duration, err error) {
	level := slog.LevelDebug
	switch {
	case c.status >= 500:
		level = slog.LevelWarn
	case c.status >= 400 && c.status != statusGone:
		level = slog.LevelInfo
	}
	attrs := []any{"request", id, "method", c.r.Method, "route", to.path, "status", c.status, "took", took, "from", c.r.RemoteAddr}
	if scope := c.r.PathValue("scope"); scope != "" {
		attrs = append(attrs, "scope", scope)
	}
	if err != nil {
		attrs = append(attrs, "error", err)
	}
	g.cfg.Logger.Log(context.Background(), level, "gateway: request", attrs...)
}

// requestID is the client's own name for the request if it is fit to be logged.
func requestID(r *http.Request) string {
	id := r.Header.Get("X-Request-Id")
	fit := len(id) > 0 && len(id) <= 64 && !strings.ContainsFunc(id, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-_.", r))
	})
	if fit {
		return id
	}
	var b [8]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// within bounds what need not wait.
func (c *call) within() (context.Context, context.CancelFunc) {
	return context.WithTimeout(c.ctx, c.g.cfg.Patience)
}

// wait bounds what waits: by what was asked for, if anything was, and by the
// gateway's own bound.
func (c *call) wait(asked *Seconds) (context.Context, context.CancelFunc) {
	d := c.g.cfg.MaxWait / 2
	if asked != nil {
		d = min(time.Duration(*asked), c.g.cfg.MaxWait)
	}
	return context.WithTimeout(c.ctx, d)
}

// path is a part of the request's path.
func (c *call) path(name string) string { return c.r.PathValue(name) }
