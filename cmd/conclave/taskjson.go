package main

import (
	"encoding/json"
	"strconv"
	"time"

	"conclave/internal/jsonbody"
	"conclave/task"
)

// What -o json prints has the form that the gateway gives it, too: the fields of
// package task, with durations as numbers of seconds.

// seconds is a duration.
type seconds time.Duration

// MarshalJSON writes a number of seconds.
func (s seconds) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, time.Duration(s).Seconds(), 'f', -1, 64), nil
}

// UnmarshalJSON reads it.
func (s *seconds) UnmarshalJSON(text []byte) error {
	n, err := strconv.ParseFloat(string(text), 64)
	*s = seconds(n * float64(time.Second))
	return err
}

// details is a task with its body and its result.
type details struct {
	task.Info
	Needs       map[string]string `json:"needs,omitempty"`
	Timeout     seconds           `json:"timeout,omitempty"`
	Beat        seconds           `json:"beat,omitempty"`
	Type        string            `json:"type,omitempty"`
	Body        json.RawMessage   `json:"body,omitempty"`
	BodyError   string            `json:"body_error,omitempty"` // why there is no Body although the task has one
	Saved       json.RawMessage   `json:"saved,omitempty"`
	ResultType  string            `json:"result_type,omitempty"`
	Result      json.RawMessage   `json:"result,omitempty"`
	ResultError string            `json:"result_error,omitempty"`
}

func detailsOf(d task.Details) details {
	out := details{Info: d.Info, Needs: d.Needs, Timeout: seconds(d.Timeout), Beat: seconds(d.Beat), Type: d.Type, ResultType: d.ResultType}
	out.Body, out.BodyError = jsonOf(d.Body)
	out.Saved, _ = jsonOf(d.Progress)
	out.Result, out.ResultError = jsonOf(d.Result)
	return out
}

// resultOf is details of a task that has ended, as Wait tells it.
func resultOf(r task.Result) details {
	out := details{Info: r.Info, ResultType: r.Type}
	out.Result, out.ResultError = jsonOf(r.Data)
	return out
}

// jsonOf is a body as JSON, or why there is none; neither if there is no body.
func jsonOf(body []byte) (text json.RawMessage, why string) {
	if len(body) == 0 {
		return nil, ""
	}
	text, err := jsonbody.ToJSON(body)
	if err != nil {
		return nil, err.Error()
	}
	return text, ""
}

// scopeStatus is all that there is to know of a scope as a whole.
type scopeStatus struct {
	task.Status
	Kinds         []kindStatus `json:"kinds"`
	OldestWaiting seconds      `json:"oldest_waiting"`
	// Candidates are the nodes that stand for dispatcher; the first is it.
	Candidates []string `json:"candidates"`
	// Tasks of each worker, by the name of its znode, and those that wait for one,
	// oldest first.
	Tasks   map[string][]string `json:"tasks,omitempty"`
	Waiting []task.Info         `json:"waiting,omitempty"`
}

type kindStatus struct {
	task.KindStatus
	OldestWaiting seconds `json:"oldest_waiting"`
}

func statusOf(s task.Status) scopeStatus {
	out := scopeStatus{Status: s, Kinds: []kindStatus{}, OldestWaiting: seconds(s.OldestWaiting), Candidates: []string{}}
	out.Workers = append([]task.WorkerStatus{}, s.Workers...) // an empty array, not null
	for _, k := range s.Kinds {
		out.Kinds = append(out.Kinds, kindStatus{k, seconds(k.OldestWaiting)})
	}
	return out
}

// schedule is a schedule as it stands.
type schedule struct {
	task.ScheduleInfo
	Missed missed `json:"missed"`
}

type missed struct {
	How   string  `json:"how,omitempty"`
	Most  int     `json:"most,omitempty"`
	Grace seconds `json:"grace,omitempty"`
}

func scheduleOf(i task.ScheduleInfo) schedule {
	return schedule{i, missed{i.Missed.How, i.Missed.Most, seconds(i.Missed.Grace)}}
}
