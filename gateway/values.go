package gateway

import (
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"time"

	"conclave/actor"
	"conclave/codec"
	"conclave/internal/jsonbody"
)

const maxSpan = 100 * 365 * 24 * time.Hour

func parseSpan(text string) (time.Duration, error) {
	var d time.Duration
	if n, err := strconv.ParseFloat(text, 64); err == nil {
		if math.IsNaN(n) || n < 0 || n > maxSpan.Seconds() {
			return 0, badRequest("%s seconds: between 0 and a hundred years", text)
		}
		d = time.Duration(n * float64(time.Second))
	} else if d, err = time.ParseDuration(text); err != nil {
		return 0, badRequest("%q is no time span: say 90, or \"1m30s\"", text)
	}
	if d < 0 || d > maxSpan {
		return 0, badRequest("%q: between 0 and a hundred years", text)
	}
	return d, nil
}

// body makes the body of a task or a message of JSON. What is left out is no body.
func body(text json.RawMessage, typeName string) (actor.Raw, error) {
	if len(typeName) > codec.MaxName {
		return actor.Raw{}, badRequest("the type's name has %d bytes, at most %d", len(typeName), codec.MaxName)
	}
	if text == nil {
		if typeName != "" {
			return actor.Raw{}, badRequest("there is a type, %q, but no body", typeName)
		}
		return actor.Raw{}, nil
	}
	data, name, err := jsonbody.FromJSON(text)
	if typeName != "" {
		name = typeName
	}
	return actor.Raw{Type: name, Body: data}, err
}

// rawOf is what a process has answered, as bytes again.
func rawOf(v any) (actor.Raw, error) {
	if raw, is := v.(actor.Raw); is {
		return raw, nil
	}
	data, name, err := codec.Append(nil, v)
	if err != nil {
		return actor.Raw{}, &problem{Status: http.StatusBadGateway, Code: "bad_answer", Message: err.Error()}
	}
	return actor.Raw{Type: name, Body: data}, nil
}
