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

// seconds is a time span in JSON: a number of seconds, or when it is read also a
// text such as "1m30s".
type seconds time.Duration

const maxSpan = 100 * 365 * 24 * time.Hour

// MarshalJSON writes a number of seconds.
func (s seconds) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, time.Duration(s).Seconds(), 'f', -1, 64), nil
}

// UnmarshalJSON reads either form.
func (s *seconds) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		return nil
	}
	var word string
	if json.Unmarshal(text, &word) != nil {
		word = string(text)
	}
	d, err := parseSpan(word)
	*s = seconds(d)
	return err
}

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

// value is a body in JSON; Error says why there is none.
type value struct {
	JSON  json.RawMessage
	Error string
}

func valueOf(data []byte) (v value) {
	if len(data) == 0 {
		return v
	}
	text, err := jsonbody.ToJSON(data)
	if err != nil {
		return value{Error: err.Error()}
	}
	return value{JSON: text}
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
