package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"

	"conclave/task"
)

// maxScopes bounds how many are open where any may be named.
const maxScopes = 100

// scopes are those that the gateway has a part in, opened when they are first named.
type scopes struct {
	cfg  *Config
	mu   sync.Mutex
	all  map[string]*task.Queue
	over bool
}

func (s *scopes) init(cfg *Config) { s.cfg, s.all = cfg, make(map[string]*task.Queue) }

// open is the gateway's part in a scope.
func (s *scopes) open(scope string) (*task.Queue, error) {
	if len(s.cfg.Scopes) > 0 && !slices.Contains(s.cfg.Scopes, scope) {
		return nil, &problem{Status: http.StatusNotFound, Code: "no_scope", Message: fmt.Sprintf("scope %q is not served here", scope)}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if q := s.all[scope]; q != nil {
		return q, nil
	}
	switch {
	case s.over:
		return nil, errStopping
	case len(s.cfg.Scopes) == 0 && len(s.all) >= maxScopes:
		return nil, &problem{Status: http.StatusServiceUnavailable, Code: "too_many_scopes", Message: fmt.Sprintf("%d scopes are open here already", maxScopes)}
	}
	q, err := s.cfg.open(scope)
	if err == nil {
		s.all[scope] = q
	}
	return q, err
}

// open opens a scope as the program wants it, or as the gateway's own.
func (c *Config) open(scope string) (*task.Queue, error) {
	if c.Open != nil {
		return c.Open(scope)
	}
	if err := checkScope(scope); err != nil {
		return nil, err
	}
	cfg := c.Tasks
	cfg.NoDispatch = cfg.NoDispatch || len(c.Scopes) == 0
	if cfg.Logger == nil {
		cfg.Logger = c.Logger
	}
	return task.Open(c.Node, scope, cfg)
}

// close ends the gateway's part in the scopes that it has opened itself.
func (s *scopes) close(ctx context.Context) error {
	s.mu.Lock()
	s.over = true
	all := s.all
	s.mu.Unlock()
	if s.cfg.Open != nil {
		return nil
	}
	errs := make(chan error, len(all))
	for _, q := range all {
		go func() { errs <- q.Close(ctx) }()
	}
	var err error
	for range all {
		err = errors.Join(err, <-errs)
	}
	return err
}

// queue is the gateway's part in the scope of a request.
func (c *call) queue() (*task.Queue, error) { return c.g.scopes.open(c.path("scope")) }

func listScopes(c *call) (any, error) {
	if len(c.g.cfg.Scopes) > 0 {
		return map[string]any{"scopes": slices.Sorted(slices.Values(c.g.cfg.Scopes))}, nil
	}
	ctx, cancel := c.within()
	defer cancel()
	names, err := task.Scopes(ctx, c.g.cfg.Node)
	return map[string]any{"scopes": append([]string{}, names...)}, err
}
