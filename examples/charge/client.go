package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// asked is what the outside services are asked to do, as JSON. Key names the effect:
// asked for again under the same key, it is the same one. Fence rises with every
// assignment of the task: a service that has heard of a higher one for the key
// refuses a lower one, which comes from a worker that has lost the task.
type asked struct {
	Key     string `json:"key"`
	Fence   uint64 `json:"fence"`
	Attempt int    `json:"attempt"`
	Worker  string `json:"worker"`

	Token string `json:"token,omitempty"` // of a charge
	Cents int64  `json:"cents,omitempty"`
	To    string `json:"to,omitempty"` // of a mail
	Text  string `json:"text,omitempty"`
}

// errDeclined: the service has decided that it will not, ever.
var errDeclined = errors.New("declined")

// client asks the outside services.
type client struct {
	url      string
	worker   string        // who asks
	patience time.Duration // how long it waits for an answer
}

// ask asks for an effect, and returns its number. Any error but errDeclined leaves
// open whether there was an effect.
func (c *client) ask(ctx context.Context, path string, a asked) (number string, err error) {
	a.Worker = c.worker
	body, err := json.Marshal(a)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.patience, fmt.Errorf("no answer within %v", c.patience))
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+path, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<10))
	switch {
	case err != nil:
		return "", err
	case answer.StatusCode == http.StatusPaymentRequired:
		return "", fmt.Errorf("%w: %s", errDeclined, text)
	case answer.StatusCode != http.StatusOK:
		return "", fmt.Errorf("%s: %s", answer.Status, text)
	}
	return string(text), nil
}
