package gateway

import (
	"encoding/json"
	"strconv"
	"time"

	"conclave/internal/jsonbody"
	"conclave/task"
)

// The forms in which tasks are told of in JSON: by the gateway, and by the program
// conclave. They are those of package task, with time spans in Seconds, and with
// bodies as JSON.

// Seconds is a time span in JSON: a number of Seconds, or when it is read also a
// text such as "1m30s".
type Seconds time.Duration

// MarshalJSON writes a number of seconds.
func (s Seconds) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, time.Duration(s).Seconds(), 'f', -1, 64), nil
}

// UnmarshalJSON reads either form.
func (s *Seconds) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		return nil
	}
	var word string
	if json.Unmarshal(text, &word) != nil {
		word = string(text)
	}
	d, err := parseSpan(word)
	*s = Seconds(d)
	return err
}

// Task is a task with its body and its result.
type Task struct {
	task.Info
	Needs       map[string]string `json:"needs,omitempty"`
	Timeout     Seconds           `json:"timeout,omitempty"`
	Beat        Seconds           `json:"beat,omitempty"`
	Type        string            `json:"type,omitempty"`
	Body        json.RawMessage   `json:"body,omitempty"`
	BodyError   string            `json:"body_error,omitempty"` // why there is no Body although the task has one
	Saved       json.RawMessage   `json:"saved,omitempty"`
	ResultType  string            `json:"result_type,omitempty"`
	Result      json.RawMessage   `json:"result,omitempty"`
	ResultError string            `json:"result_error,omitempty"`
}

// TaskOf is the form of a task.
func TaskOf(d task.Details) Task {
	body, saved, result := valueOf(d.Body), valueOf(d.Progress), valueOf(d.Result)
	return Task{
		Info: d.Info, Needs: d.Needs, Timeout: Seconds(d.Timeout), Beat: Seconds(d.Beat), Type: d.Type,
		Body: body.JSON, BodyError: body.Error, Saved: saved.JSON,
		ResultType: d.ResultType, Result: result.JSON, ResultError: result.Error,
	}
}

// ResultOf is the form of a task that has ended, as task.Queue.Wait tells it.
func ResultOf(r task.Result) Task {
	result := valueOf(r.Data)
	return Task{Info: r.Info, ResultType: r.Type, Result: result.JSON, ResultError: result.Error}
}

// Status is how a scope stands.
type Status struct {
	task.Status
	Kinds         []KindStatus        `json:"kinds"`
	Workers       []task.WorkerStatus `json:"workers"`
	OldestWaiting Seconds             `json:"oldest_waiting"`
}

// KindStatus is one kind of tasks.
type KindStatus struct {
	task.KindStatus
	OldestWaiting Seconds `json:"oldest_waiting"`
}

// StatusOf is the form of a scope's status.
func StatusOf(s task.Status) Status {
	// Empty arrays, not null.
	out := Status{Status: s, Kinds: []KindStatus{}, Workers: append([]task.WorkerStatus{}, s.Workers...), OldestWaiting: Seconds(s.OldestWaiting)}
	for _, k := range s.Kinds {
		out.Kinds = append(out.Kinds, KindStatus{k, Seconds(k.OldestWaiting)})
	}
	return out
}

// Schedule is a schedule as it stands.
type Schedule struct {
	task.ScheduleInfo
	Missed Missed `json:"missed"`
}

// Missed is task.Missed.
type Missed struct {
	How   string  `json:"how,omitempty"`
	Most  int     `json:"most,omitempty"`
	Grace Seconds `json:"grace,omitempty"`
}

// ScheduleOf is the form of a schedule.
func ScheduleOf(i task.ScheduleInfo) Schedule {
	return Schedule{i, Missed{i.Missed.How, i.Missed.Most, Seconds(i.Missed.Grace)}}
}

// value is a body in JSON; Error says why there is none. Neither: there is no body.
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
