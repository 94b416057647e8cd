package gateway_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"conclave/gateway"
	"conclave/task"
)

var update = flag.Bool("update", false, "write the description into openapi.json")

// openapi.json is the description for those who have no gateway at hand.
func TestDescriptionInTheRepositoryIsTheOneThatIsServed(t *testing.T) {
	var text bytes.Buffer
	if err := json.Indent(&text, gateway.Description(), "", "\t"); err != nil {
		t.Fatal(err)
	}
	text.WriteByte('\n')
	if *update {
		if err := os.WriteFile("openapi.json", text.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if kept, err := os.ReadFile("openapi.json"); err != nil || !bytes.Equal(kept, text.Bytes()) {
		t.Errorf("openapi.json is not what is served (%v): go test ./gateway -update writes it", err)
	}
}

// All tests of this package check what the gateway answers, and what it takes,
// against the description. This one goes through everything that is described.
func TestEveryRouteAnswersAsDescribed(t *testing.T) {
	keepShop(t, gateway.Config{}, func(s *shop) {
		s.Node(0).Stand("boss", boss)
		s.Node(0).Offer("echo", boss)
		s.AwaitHolder("boss")
		s.gate.book = newBook(t, []byte(s.want(200, "GET", "/openapi.json", "").text))
		full := `{"id": "1", "kind": "a", "type": "main.Job", "body": {"x": 1}, "meta": {"m": "1"}, "key": "k", "unique": "u", "delay": "1s",
			"priority": 1, "attempts": 5, "backoff": {"from": 0.5, "to": "1m"}, "timeout": 60, "beat": "20s", "needs": {}}`
		s.want(200, "GET", "/healthz", "")
		s.want(200, "GET", "/readyz", "")
		s.want(200, "GET", "/openapi.json", "")
		s.want(201, "POST", at+"/tasks", full)
		s.want(201, "POST", at+"/batch", `{"tasks": [{"kind": "b", "at": "2001-01-01T00:00:00Z"}, {"id": "2", "kind": "a"}, {"id": "3", "kind": "a"}, {"id": "4", "kind": "a"}]}`)
		s.want(200, "GET", "/v1/scopes", "")
		s.want(202, "GET", taskAt("1")+"/wait?wait=0", "")
		s.want(200, "POST", taskAt("4")+"/cancel", "{}")
		s.want(200, "POST", taskAt("4")+"/retry", "{}")
		s.want(200, "POST", taskAt("4")+"/cancel", "")
		s.want(200, "DELETE", taskAt("4"), "")
		s.want(204, "POST", at+"/leases", `{"kinds": ["none"], "wait": "2s", "beat": 60}`)
		for _, ends := range []string{"release", "again", "fail", "complete", "discard"} {
			_, path := s.lease("a")
			s.want(200, "POST", path+"/heartbeat", "{}")
			s.want(200, "POST", path+"/progress", `{"data": {"i": 1}}`)
			s.want(200, "GET", at+"/status", "")
			body := map[string]string{"release": "{}", "again": `{"after": 1}`, "fail": `{"error": "x"}`, "discard": `{"error": "y"}`,
				"complete": `{"result": [1, 2.5], "type": "main.Result", "then": [` + strings.Replace(strings.Replace(full, `"1"`, `"then"`, 1), `"u"`, `"v"`, 1) + `]}`}[ends]
			s.want(200, "POST", path+"/"+ends, body)
			s.Settle()
		}
		s.want(200, "GET", at+"/tasks?limit=1&state=done,dead", "")
		var done string
		s.Await("a task is done", func() bool {
			for _, one := range s.want(200, "GET", at+"/tasks?state=done", "").body["tasks"].([]any) {
				done = one.(map[string]any)["id"].(string)
			}
			return done != ""
		})
		s.want(200, "GET", taskAt(done), "")
		s.want(200, "GET", taskAt(done)+"/wait", "")
		s.want(200, "GET", at+"/status", "")
		s.want(200, "PUT", at+"/schedules/s", `{"line": "@every 1m", "task": {"kind": "c", "body": 1}, "missed": {"how": "all", "most": 3, "grace": 1}, "overlap": "queue", "zone": "", "paused": false}`)
		time.Sleep(2 * time.Minute)
		s.want(200, "GET", at+"/schedules", "")
		s.want(200, "DELETE", at+"/schedules/s", "")
		s.want(200, "GET", "/v1/nodes", "")
		s.want(200, "GET", "/v1/services", "")
		s.want(200, "GET", "/v1/services/echo", "")
		s.want(200, "POST", "/v1/services/echo/call", `{"type": "gateway_test.job", "body": {"Text": "x"}, "wait": 5}`)
		s.want(202, "POST", "/v1/services/echo/send", `{"type": "gateway_test.job", "body": {"Text": "x"}, "wait": 5, "all": true}`)
		s.want(200, "GET", "/v1/globals/boss?wait=5", "")
		s.want(200, "POST", "/v1/globals/boss/call", `{"type": "gateway_test.job", "body": {"Text": "x"}, "wait": "5s"}`)
		s.want(202, "POST", "/v1/globals/boss/send", `{"type": "gateway_test.job", "body": {"Text": "x"}, "wait": "5s"}`)

		for path, operations := range s.gate.book.doc.Paths {
			for method, op := range operations {
				for status := range op.Responses {
					if status < "300" && !s.gate.book.seen[op.OperationID+" "+status] {
						s.Errorf("%s %s has never answered %s", method, path, status)
					}
				}
			}
		}
	})
}

func TestDescribedRoutesAndNoOthersExist(t *testing.T) {
	keepShop(t, gateway.Config{}, func(s *shop) {
		names := make(map[string]bool)
		for path, operations := range s.book.doc.Paths {
			real := strings.NewReplacer("{scope}", "shop", "{id}", "1", "{lease}", "1", "{name}", "x").Replace(path)
			for _, method := range []string{"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"} {
				op, described := operations[strings.ToLower(method)]
				a, err := s.try(s.Context(), method, real, "[]") // which no route takes
				if err != nil {
					s.Fatal(err)
				}
				if exists := a.code() != "no_route" && a.status != http.StatusMethodNotAllowed; exists != described {
					s.Errorf("%s %s is described: %t; it exists: %t (%d %s)", method, path, described, exists, a.status, a.text)
				}
				if described && (op.OperationID == "" || names[op.OperationID]) {
					s.Errorf("%s %s has no name of its own: %q", method, path, op.OperationID)
				}
				names[op.OperationID] = true
			}
		}
		if len(names) < 30 {
			s.Errorf("only %d routes are described", len(names))
		}
	})
}

// What the description's schemas say of a task is what package task has.
func TestSchemasHaveTheStatesOfTasks(t *testing.T) {
	var doc struct {
		Components struct {
			Schemas struct{ State struct{ Enum []task.State } }
		}
		OpenAPI string
	}
	if err := json.Unmarshal(gateway.Description(), &doc); err != nil {
		t.Fatal(err)
	}
	if want := []task.State{task.Waiting, task.Delayed, task.Held, task.Running, task.Stopping, task.Done, task.Dead, task.Cancelled}; fmt.Sprint(doc.Components.Schemas.State.Enum) != fmt.Sprint(want) || doc.OpenAPI != "3.1.0" {
		t.Errorf("the states are %v, in OpenAPI %q", doc.Components.Schemas.State.Enum, doc.OpenAPI)
	}
}
