package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"conclave/gateway"
	"conclave/task"
)

type charge struct {
	Customer string
	Cents    int64
	Token    []byte
}

type receipt struct {
	Number uint64
	Of     string
}

func TestGoWorkerDoesWhatWasSubmittedAsJSON(t *testing.T) {
	keepShop(t, gateway.Config{}, func(s *shop) {
		task.Handle(s.q, "charge", func(ctx context.Context, t *task.Task, c charge) error {
			if c.Customer != "Ann Ö." || c.Cents != 9007199254740993 || string(c.Token) != "\x00\xff" {
				return task.Discard(fmt.Errorf("it came as %+v", c))
			}
			return t.Return(receipt{Number: 1<<64 - 1, Of: c.Customer})
		})
		a := s.want(201, "POST", at+"/tasks", `{"kind": "charge", "meta": {"account": "7"},
			"body": {"Customer": "Ann Ö.", "Cents": 9007199254740993, "Token": {"$bytes": "AP8="}, "Unknown": [1.5, null]}}`)
		done := s.want(200, "GET", taskAt(a.str("id"))+"/wait?wait=30s", "")
		if done.str("state") != "done" || done.str("result_type") != "gateway_test.receipt" {
			t.Errorf("it ended as %s", done.text)
		}
		if want := `"result":{"Number":18446744073709551615,"Of":"Ann Ö."}`; !strings.Contains(done.text, want) {
			t.Errorf("the result is not in %s", done.text)
		}
		shown := s.want(200, "GET", taskAt(a.str("id")), "")
		if body, _ := shown.body["body"].(map[string]any); body["Cents"] != json.Number("9007199254740993") {
			t.Errorf("the body is shown as %s", shown.text)
		}
	})
}

func TestWaitSaysHowATaskEnded(t *testing.T) {
	keepShop(t, gateway.Config{}, func(s *shop) {
		s.q.Handle("bad", func(context.Context, *task.Task) error { return task.Discard(errors.New("no such card")) })
		s.want(201, "POST", at+"/tasks", `{"kind": "bad", "id": "a/b"}`)
		a := s.want(200, "GET", taskAt("a/b")+"/wait", "")
		if a.str("state") != "dead" || a.str("error") != "no such card" {
			t.Errorf("it ended as %s", a.text)
		}
		s.want(201, "POST", at+"/tasks", `{"kind": "nobody does", "id": "waits", "delay": "1h"}`)
		began := time.Now()
		a = s.want(202, "GET", taskAt("waits")+"/wait?wait=7", "")
		if a.str("state") != "delayed" || time.Since(began) != 7*time.Second {
			t.Errorf("after %v: %s", time.Since(began), a.text)
		}
		s.want(200, "POST", taskAt("waits")+"/cancel", "")
		if a = s.want(200, "GET", taskAt("waits")+"/wait", ""); a.str("state") != "cancelled" {
			t.Errorf("it ended as %s", a.text)
		}
		s.refuse(404, "not_found", "GET", taskAt("nothing")+"/wait", "")
	})
}

func TestTasksAreChangedAndListed(t *testing.T) {
	keepShop(t, gateway.Config{}, func(s *shop) {
		ids := s.want(201, "POST", at+"/batch", `{"tasks": [
			{"kind": "a", "id": "1", "meta": {"account": "7"}, "priority": 5, "key": "k", "timeout": "1m", "beat": 5, "attempts": 3,
			 "backoff": {"from": 1, "to": "1m"}, "needs": {"gpu": "yes"}},
			{"kind": "a", "id": "2", "at": "2100-01-01T00:00:00Z"},
			{"kind": "b"}]}`)
		if len(ids.body["ids"].([]any)) != 3 {
			t.Fatal(ids.text)
		}
		names := func(query string) (found []string) {
			for _, one := range s.want(200, "GET", at+"/tasks"+query, "").body["tasks"].([]any) {
				found = append(found, one.(map[string]any)["id"].(string))
			}
			return found
		}
		for query, want := range map[string]string{
			"?kind=a": "[1 2]", "?state=delayed": "[2]", "?state=waiting,delayed&kind=a": "[1 2]", "?key=k": "[1]",
			"?meta.account=7": "[1]", "?meta.account=8": "[]", "?kind=a&limit=1": "[1]", "?kind=a&after=1": "[2]", "?worker=x": "[]",
		} {
			if got := fmt.Sprint(names(query)); got != want {
				t.Errorf("list %s: %s, want %s", query, got, want)
			}
		}
		if a := s.want(200, "GET", at+"/tasks?limit=2", ""); a.str("after") != "2" {
			t.Errorf("it does not say where to read on: %s", a.text)
		}
		if a := s.want(200, "GET", taskAt("1"), ""); a.body["timeout"] != json.Number("60") || a.body["beat"] != json.Number("5") {
			t.Errorf("shown as %s", a.text)
		}
		if a := s.want(200, "POST", taskAt("2")+"/retry", "{}"); a.str("state") != "waiting" {
			t.Errorf("retried, it is %s", a.text)
		}
		s.refuse(409, "state", "DELETE", taskAt("2"), "")
		s.want(200, "POST", taskAt("2")+"/cancel", "")
		s.want(200, "DELETE", taskAt("2"), "")
		s.refuse(404, "not_found", "GET", taskAt("2"), "")
		a := s.want(200, "GET", at+"/status", "")
		if states := a.body["states"].(map[string]any); states["waiting"] != json.Number("2") || a.str("dispatcher") == "" {
			t.Errorf("status: %s", a.text)
		}
		if a := s.want(200, "GET", "/v1/scopes", ""); fmt.Sprint(a.body["scopes"]) != "[shop]" {
			t.Errorf("scopes: %s", a.text)
		}
	})
}

func TestSchedulesAreMadeListedAndRemoved(t *testing.T) {
	keepShop(t, gateway.Config{}, func(s *shop) {
		line := at + "/schedules/" + "every%2Fminute"
		s.want(200, "PUT", line, `{"line": "*/5 * * * *", "zone": "Europe/Berlin", "overlap": "skip",
			"missed": {"how": "skip", "grace": "30s"}, "task": {"kind": "report", "body": {"what": "sales"}}}`)
		a := s.want(200, "GET", at+"/schedules", "")
		all := a.body["schedules"].([]any)
		if len(all) != 1 || all[0].(map[string]any)["name"] != "every/minute" || fmt.Sprint(all[0].(map[string]any)["missed"]) != "map[grace:30 how:skip]" {
			t.Errorf("schedules: %s", a.text)
		}
		time.Sleep(5*time.Minute + time.Second)
		if tasks := s.want(200, "GET", at+"/tasks?kind=report", "").body["tasks"].([]any); len(tasks) != 1 {
			t.Errorf("it has fired %d times", len(tasks))
		}
		s.refuse(400, "bad_schedule", "PUT", line, `{"line": "61 * * * *", "task": {"kind": "report"}}`)
		s.want(200, "DELETE", line, "")
		s.refuse(404, "not_found", "DELETE", line, "")
	})
}

func TestRefusedTasksSayWhy(t *testing.T) {
	keepShop(t, gateway.Config{}, func(s *shop) {
		tasks := at + "/tasks"
		s.want(201, "POST", tasks, `{"kind": "a", "id": "1", "unique": "u"}`)
		s.want(201, "POST", tasks, `{"kind": "a", "id": "1", "unique": "u"}`) // the same
		a := s.refuse(409, "duplicate", "POST", tasks, `{"kind": "a", "id": "2", "unique": "u"}`)
		if e := a.body["error"].(map[string]any); e["id"] != "1" {
			t.Errorf("it does not say which task has the key: %s", a.text)
		}
		s.refuse(409, "conflict", "POST", tasks, `{"kind": "b", "id": "1"}`)
		s.refuse(413, "too_large", "POST", tasks, `{"kind": "a", "body": "`+strings.Repeat("x", task.DefaultMaxBody)+`"}`)
		s.refuse(413, "too_large", "POST", at+"/batch", `{"tasks": [`+strings.Repeat(`{"kind": "a"},`, task.MaxTogether)+`{"kind": "a"}]}`)
		s.refuse(413, "too_large", "POST", tasks, `{"kind": "a", "body": "`+strings.Repeat("x", 1<<20)+`"}`)
		for body, code := range map[string]string{
			``:                                            "bad_task",
			`{"kind": ""}`:                                "bad_task",
			`{"kind": "a", "priority": 101}`:              "bad_task",
			`{"kind": "a\u0007"}`:                         "bad_task",
			`{"kind": "a", "delay": -1}`:                  "bad_request",
			`{"kind": "a", "delay": "soon"}`:              "bad_request",
			`{"kind": "a", "delay": 1e300}`:               "bad_request",
			`{"kind": "a", "delay": [1]}`:                 "bad_request",
			`{"kind": "a", "at": "tomorrow"}`:             "bad_request",
			`{"kind": "a", "priority": 1.5}`:              "bad_request",
			`{"kind": 7}`:                                 "bad_request",
			`{"kind": "a", "knid": "a"}`:                  "bad_request",
			`{"kind": "a"} {"kind": "b"}`:                 "bad_request",
			`{"kind": "a"`:                                "bad_request",
			`[]`:                                          "bad_request",
			`"a"`:                                         "bad_request",
			`{"kind": "a", "type": "main.Job"}`:           "bad_request",
			`{"kind": "a", "body": {"a":1,"a":2}}`:        "bad_json",
			`{"kind": "a", "body": 1e999}`:                "bad_json",
			`{"kind": "a", "body": 99999999999999999999}`: "bad_json",
			`{"kind": "a", "body": {"$time": "noon"}}`:    "bad_json",
			`{"kind": "a", "body": ` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}`: "bad_json",
		} {
			a := s.refuse(400, code, "POST", tasks, body)
			if e, _ := a.body["error"].(map[string]any); e["message"] == "" {
				t.Errorf("%s: no reason", body)
			}
		}
		s.refuse(400, "bad_request", "POST", at+"/batch", `{"tasks": []}`)
		a = s.refuse(400, "bad_json", "POST", at+"/batch", `{"tasks": [{"kind": "a"}, {"kind": "a", "body": 1e999}]}`)
		if !strings.Contains(a.text, "task 2") {
			t.Errorf("it does not say which: %s", a.text)
		}
		s.refuse(400, "bad_request", "GET", at+"/tasks?state=sleeping", "")
		s.refuse(400, "bad_request", "GET", at+"/tasks?limit=0", "")
		s.refuse(400, "bad_request", "GET", at+"/tasks?colour=red", "")
		s.refuse(400, "bad_request", "GET", taskAt("1")+"/wait?wait=long", "")
		s.refuse(400, "bad_name", "GET", "/v1/scopes/%01/status", "")
		s.refuse(400, "bad_name", "GET", "/v1/scopes/"+strings.Repeat("x", 254)+"/status", "")
	})
}

func TestFullQueueIsSaidWithRetryAfter(t *testing.T) {
	keepShopOf(t, task.Config{MaxLive: 2}, gateway.Config{}, func(s *shop) {
		s.want(201, "POST", at+"/batch", `{"tasks": [{"kind": "a"}, {"kind": "a"}]}`)
		a := s.refuse(429, "queue_full", "POST", at+"/tasks", `{"kind": "a"}`)
		if a.header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	})
}

func TestScopeWithoutDispatcherIsSaidInTime(t *testing.T) {
	keepShop(t, gateway.Config{Patience: 5 * time.Second}, func(s *shop) {
		began := time.Now()
		a := s.refuse(503, "no_dispatcher", "POST", "/v1/scopes/other/tasks", `{"kind": "a"}`)
		if time.Since(began) != 5*time.Second || a.header.Get("Retry-After") == "" {
			t.Errorf("after %v: %v", time.Since(began), a.header)
		}
		s.refuse(503, "no_dispatcher", "GET", "/v1/scopes/other/status", "")
		s.refuse(503, "no_dispatcher", "GET", "/v1/scopes/other/tasks/1/wait?wait=1", "")
	})
}

func TestOnlyListedScopesAreServedAndDispatched(t *testing.T) {
	keepShop(t, gateway.Config{Scopes: []string{"mail"}}, func(s *shop) {
		s.want(201, "POST", "/v1/scopes/mail/tasks", `{"kind": "a"}`) // the gateway itself dispatches
		s.refuse(404, "no_scope", "POST", at+"/tasks", `{"kind": "a"}`)
		if a := s.want(200, "GET", "/v1/scopes", ""); fmt.Sprint(a.body["scopes"]) != "[mail]" {
			t.Errorf("scopes: %s", a.text)
		}
	})
}
