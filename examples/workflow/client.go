package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// client asks the backend.
type client struct {
	url      string
	patience time.Duration // how long it waits for an answer
}

// ask asks for an effect. [errStale]: the backend refuses it; any other error leaves open
// whether there was one.
func (c *client) ask(ctx context.Context, a request) error {
	body, err := json.Marshal(a)
	if err != nil {
		return err
	}
	_, err = c.talk(ctx, http.MethodPost, body)
	return err
}

// table is what the backend has counted.
func (c *client) table(ctx context.Context) (t table, err error) {
	text, err := c.talk(ctx, http.MethodGet, nil)
	if err == nil {
		err = json.Unmarshal(text, &t)
	}
	return t, err
}

func (c *client) talk(ctx context.Context, method string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.patience, fmt.Errorf("the backend has not answered within %v", c.patience))
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, c.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, fmt.Errorf("the backend is not there (\"workflow backend\" starts one): %w", err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 4<<20))
	switch {
	case err != nil:
		return nil, err
	case answer.StatusCode == http.StatusConflict:
		return nil, fmt.Errorf("%w (%s)", errStale, bytes.TrimSpace(text))
	case answer.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("the backend: %s: %s", answer.Status, bytes.TrimSpace(text))
	}
	return text, nil
}
