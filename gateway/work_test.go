package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"conclave/gateway"
	"conclave/task"
)

// lease asks for a task that there is, and returns the lease and its path.
func (s *shop) lease(kind string) (lease answer, path string) {
	s.gate.t.Helper()
	lease = s.want(200, "POST", at+"/leases", `{"kinds": ["`+kind+`"], "wait": "1m"}`)
	return lease, at + "/leases/" + lease.str("lease")
}

// submit submits a task of a kind and returns its id.
func (s *shop) submit(kind, more string) string {
	s.gate.t.Helper()
	return s.want(201, "POST", at+"/tasks", `{"kind": "`+kind+`"`+more+`}`).str("id")
}

// ended waits for a task's end, and wants it to be in that state.
func (s *shop) ended(id string, state task.State) answer {
	s.gate.t.Helper()
	a := s.want(200, "GET", taskAt(id)+"/wait?wait=1m", "")
	if a.str("state") != string(state) {
		s.gate.t.Errorf("%s ended as %s, not %s", id, a.text, state)
	}
	return a
}

func TestLeasedTaskIsDoneWithItsResultAndFollowers(t *testing.T) {
	keepShop(t, gateway.Config{}, func(s *shop) {
		id, err := s.q.Submit(s.Context(), task.Of("charge", charge{"Ann", 1250, []byte{1}}, task.Meta("account", "7"), task.Key("ann"), task.Timeout(time.Minute)))
		if err != nil {
			s.Fatal(err)
		}
		lease, path := s.lease("charge")
		body := lease.body["body"].(map[string]any)
		if lease.str("id") != id || body["Cents"] != json.Number("1250") || fmt.Sprint(body["Token"]) != "map[$bytes:AQ==]" || lease.str("type") != "gateway_test.charge" {
			s.Errorf("the lease is %s", lease.text)
		}
		if lease.body["attempt"] != json.Number("1") || lease.body["timeout"] != json.Number("60") || lease.body["beat"] != json.Number("30") ||
			lease.str("key") != "ann" || fmt.Sprint(lease.body["meta"]) != "map[account:7]" {
			s.Errorf("the lease is %s", lease.text)
		}
		s.want(200, "POST", path+"/heartbeat", "{}")
		s.want(200, "POST", path+"/progress", `{"data": {"half": true}}`)
		s.want(200, "POST", path+"/complete", `{"result": {"Number": 17, "Of": "Ann"}, "type": "gateway_test.receipt", "then": [{"kind": "mail", "body": "thanks"}]}`)
		r, err := s.q.Wait(s.Context(), id)
		var got receipt
		if err != nil || r.Decode(&got) != nil || got != (receipt{17, "Ann"}) || r.Type != "gateway_test.receipt" {
			s.Errorf("Go reads the result as %+v (%s), %v", got, r.Type, err)
		}
		if mail, _ := s.lease("mail"); mail.str("id") != id+"/1" || mail.str("body") != "thanks" {
			s.Errorf("what follows is %s", mail.text)
		}
	})
}

func TestEveryOutcomeOfALease(t *testing.T) {
	keepShop(t, gateway.Config{}, func(s *shop) {
		id := s.submit("a", `, "attempts": 3, "backoff": {"from": 1}`)
		for _, step := range []struct {
			verb, body, state string
			failures          any
		}{
			{"release", "", "waiting", nil},
			{"again", `{"after": "10s"}`, "delayed", nil},
			{"fail", `{"error": "no connection"}`, "delayed", json.Number("1")},
			{"discard", `{"error": "no such card"}`, "dead", json.Number("2")},
		} {
			_, path := s.lease("a")
			s.want(200, "POST", path+"/"+step.verb, step.body)
			// It may be given to the gateway once more, where nobody waits for it.
			var got answer
			s.Await("it is "+step.state, func() bool {
				got = s.want(200, "GET", taskAt(id), "")
				return got.str("state") == step.state
			})
			if got.body["failures"] != step.failures {
				s.Errorf("after %s: %s", step.verb, got.text)
			}
		}
		a := s.want(200, "GET", taskAt(id), "")
		if attempt, _ := a.body["attempt"].(json.Number).Int64(); a.str("error") != "no such card" || attempt < 4 {
			s.Errorf("in the end: %s", a.text)
		}
	})
}

func TestOutcomeSaidAgainGetsTheSameAnswer(t *testing.T) {
	keepShop(t, gateway.Config{}, func(s *shop) {
		id := s.submit("a", "")
		_, path := s.lease("a")
		for range 3 {
			if a := s.want(200, "POST", path+"/complete", `{"result": 1}`); a.str("id") != id {
				s.Errorf("it was answered %s", a.text)
			}
			time.Sleep(4 * time.Minute)
		}
		s.refuse(409, "state", "POST", path+"/fail", `{"error": "no"}`)
		s.refuse(409, "state", "POST", path+"/heartbeat", "")
		s.ended(id, task.Done)
		// It is not remembered for ever, once others end.
		time.Sleep(time.Minute)
		s.submit("a", "")
		_, other := s.lease("a")
		s.want(200, "POST", other+"/complete", "")
		s.Settle()
		s.refuse(404, "no_lease", "POST", path+"/complete", `{"result": 1}`)
	})
}

func TestSilentLeaseFailsAndIsTakenAgain(t *testing.T) {
	keepShop(t, gateway.Config{}, func(s *shop) {
		id := s.submit("a", `, "backoff": {"from": 1}`)
		_, first := s.lease("a")
		s.want(200, "POST", first+"/progress", `{"data": [1, "half"]}`)
		for range 10 {
			time.Sleep(29 * time.Second)
			s.want(200, "POST", first+"/heartbeat", "")
		}
		time.Sleep(31 * time.Second)
		s.refuse(409, "no_heartbeat", "POST", first+"/heartbeat", "")
		second, path := s.lease("a")
		if second.str("id") != id || second.body["attempt"] != json.Number("2") || fmt.Sprint(second.body["saved"]) != "[1 half]" {
			s.Errorf("the second lease is %s", second.text)
		}
		s.refuse(409, "no_heartbeat", "POST", first+"/complete", `{"result": "late"}`)
		s.want(200, "POST", path+"/complete", `{"result": "in time"}`)
		if a := s.ended(id, task.Done); a.str("result") != "in time" {
			s.Errorf("the result is %s", a.text)
		}
	})
}

func TestBeatAskedForHoldsWhereTheTaskHasNone(t *testing.T) {
	keepShop(t, gateway.Config{Beat: 5 * time.Second}, func(s *shop) {
		for _, beats := range []struct {
			task, asked string
			want        json.Number
		}{{"", "", "5"}, {"", `, "beat": "2m"`, "120"}, {`, "beat": 9`, `, "beat": "2m"`, "9"}} {
			s.submit("a", beats.task)
			lease := s.want(200, "POST", at+"/leases", `{"kinds": ["a"]`+beats.asked+`}`)
			if lease.body["beat"] != beats.want {
				s.Errorf("%+v: %s", beats, lease.text)
			}
			left, _ := beats.want.Int64()
			time.Sleep(time.Duration(left)*time.Second - time.Millisecond)
			s.want(200, "POST", at+"/leases/"+lease.str("lease")+"/heartbeat", "")
			time.Sleep(time.Duration(left)*time.Second + time.Millisecond)
			s.refuse(409, "no_heartbeat", "POST", at+"/leases/"+lease.str("lease")+"/heartbeat", "")
			s.want(200, "POST", taskAt(lease.str("id"))+"/cancel", "")
		}
	})
}

func TestCancelledLeaseIsToldAndMaySayHowItEnded(t *testing.T) {
	keepShop(t, gateway.Config{}, func(s *shop) {
		ids := []string{s.submit("a", ""), s.submit("a", ""), s.submit("a", "")}
		states := make(map[string]task.State)
		for i, last := range []string{"/complete", "/fail", ""} {
			lease, path := s.lease("a")
			s.want(200, "POST", taskAt(lease.str("id"))+"/cancel", "")
			s.Settle()
			s.refuse(409, "cancelled", "POST", path+"/heartbeat", "")
			if last != "" {
				s.want(200, "POST", path+last, map[string]string{"/complete": `{}`, "/fail": `{"error": "stopped"}`}[last])
			}
			states[lease.str("id")] = []task.State{task.Done, task.Cancelled, task.Cancelled}[i]
		}
		for _, id := range ids {
			s.ended(id, states[id])
		}
	})
}

func TestTakerThatGivesUpGetsNothing(t *testing.T) {
	keepShop(t, gateway.Config{}, func(s *shop) {
		began := time.Now()
		s.want(204, "POST", at+"/leases", `{"kinds": ["a"], "wait": "10s"}`)
		if took := time.Since(began); took != 10*time.Second {
			s.Errorf("it took %v", took)
		}
		s.want(204, "POST", at+"/leases", `{"kinds": ["a"]}`)
		s.want(204, "POST", at+"/leases", `{"kinds": ["a"], "wait": "10h"}`)
		if took := time.Since(began); took != 100*time.Second {
			s.Errorf("it took %v: 10 s, half a minute, and a minute at most", took)
		}
	})
}

// Takers go away while tasks are on their way to them.
func TestTaskGoesBackWhenItsTakerGoesAway(t *testing.T) {
	keepShop(t, gateway.Config{}, func(s *shop) {
		const count = 40
		handed := 0
		s.Delay(0, 1, 10*time.Millisecond)
		for range count {
			ctx, gone := context.WithCancel(s.Context())
			taken, submitted := make(chan answer, 1), make(chan string, 1)
			go func() {
				a, err := s.try(ctx, "POST", at+"/leases", `{"kinds": ["a"]}`)
				if err != nil {
					a = answer{}
				}
				taken <- a
			}()
			time.Sleep(time.Millisecond)
			go func() { submitted <- s.submit("a", "") }()
			time.Sleep(time.Duration(s.Rand.IntN(40))*time.Millisecond + 500*time.Microsecond) // somewhere on the task's way
			gone()
			lease, id := <-taken, <-submitted
			began := time.Now()
			if lease.status != 200 {
				time.Sleep(time.Duration(s.Rand.IntN(50)) * time.Millisecond)
				lease, _ = s.lease("a")
			}
			if waited := time.Since(began); waited > time.Second {
				s.Errorf("the task was back only after %v", waited)
			}
			s.want(200, "POST", at+"/leases/"+lease.str("lease")+"/complete", "")
			a := s.ended(id, task.Done)
			if a.body["failures"] != nil {
				s.Errorf("an attempt was used up: %s", a.text)
			}
			if a.body["attempt"] != json.Number("1") {
				handed++
			}
		}
		if handed == 0 {
			s.Error("no task was on its way to who had gone: this shows nothing")
		}
	})
}

func TestAnswerThatCannotBeWrittenGivesTheTaskBack(t *testing.T) {
	keepShop(t, gateway.Config{}, func(s *shop) {
		conn, err := s.pipes.dial(s.Context())
		if err != nil {
			s.Fatal(err)
		}
		// The pipe has no buffer: who does not read is not handed anything.
		body := `{"kinds": ["a"], "beat": "1h"}`
		fmt.Fprintf(conn, "POST %s/leases HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", at, len(body), body)
		id := s.submit("a", "")
		s.Await("the task is running", func() bool { return s.ask("GET", taskAt(id), "").str("state") == "running" })
		conn.Close()
		lease, path := s.lease("a")
		if lease.str("id") != id {
			s.Fatalf("%s was leased, not %s", lease.text, id)
		}
		s.want(200, "POST", path+"/complete", "")
		if a := s.ended(id, task.Done); a.body["failures"] != nil {
			s.Errorf("an attempt was used up: %s", a.text)
		}
	})
}

func TestLeasesOfADeadGatewayAreGivenToOthers(t *testing.T) {
	keepShop(t, gateway.Config{}, func(s *shop) {
		other := open(s.Cluster, gateway.Config{Node: s.Node(2).Node})
		id := s.submit("a", "")
		lease := other.want(200, "POST", at+"/leases", `{"kinds": ["a"]}`)
		if lease.str("id") != id {
			s.Fatal(lease.text)
		}
		s.Kill(2)
		other.dead = true
		again, path := s.lease("a")
		if again.str("id") != id || again.body["attempt"] != json.Number("2") {
			s.Errorf("after the gateway's death: %s", again.text)
		}
		s.refuse(404, "no_lease", "POST", at+"/leases/"+lease.str("lease")+"/complete", "")
		if a, err := other.try(s.Context(), "POST", at+"/leases/"+lease.str("lease")+"/complete", ""); err == nil && a.status < 300 {
			s.Errorf("the dead gateway has recorded it: %s", a.text)
		}
		s.want(200, "POST", path+"/complete", `{"result": "alive"}`)
		s.ended(id, task.Done)
	})
}

func TestStoppingGatewayWaitsForItsLeasesAndReturnsTheRest(t *testing.T) {
	keepShop(t, gateway.Config{}, func(s *shop) {
		other := open(s.Cluster, gateway.Config{Node: s.Node(2).Node})
		inTime, late := s.submit("a", ""), s.submit("b", "")
		first := other.want(200, "POST", at+"/leases", `{"kinds": ["a"]}`)
		other.want(200, "POST", at+"/leases", `{"kinds": ["b"]}`)
		waiting := make(chan answer)
		go func() {
			a, _ := other.try(s.Context(), "POST", at+"/leases", `{"kinds": ["c"], "wait": "1m"}`)
			waiting <- a
		}()
		time.Sleep(time.Second)
		began := time.Now()
		other.end()
		if a := <-waiting; a.status != 503 || a.code() != "stopping" || time.Since(began) != 0 {
			s.Errorf("who waited was told %s after %v", a.text, time.Since(began))
		}
		other.refuse(503, "stopping", "POST", at+"/leases", `{"kinds": ["a"]}`)
		other.refuse(503, "stopping", "GET", "/readyz", "")
		time.Sleep(5 * time.Second)
		other.want(200, "POST", at+"/leases/"+first.str("lease")+"/complete", `{"result": 1}`)
		other.stop()
		if took := time.Since(began); took < 10*time.Second || took > 20*time.Second {
			s.Errorf("it stopped after %v", took)
		}
		s.ended(inTime, task.Done)
		lease, _ := s.lease("b")
		if lease.str("id") != late || time.Since(began) > 20*time.Second {
			s.Errorf("the other was given %s after %v", lease.text, time.Since(began))
		}
		if a := s.want(200, "GET", taskAt(late), ""); a.body["failures"] != nil {
			s.Errorf("an attempt was used up: %s", a.text)
		}
	})
}

func TestClosedGatewayReturnsItsLeasesAndLeavesOthersScopesOpen(t *testing.T) {
	keepShop(t, gateway.Config{}, func(s *shop) {
		q, err := task.Open(s.Node(2).Node, "shop", task.Config{})
		if err != nil {
			s.Fatal(err)
		}
		defer q.Close(s.Context())
		other := open(s.Cluster, gateway.Config{Node: s.Node(2).Node, Drain: time.Second, Open: func(string) (*task.Queue, error) { return q, nil }})
		id := s.submit("a", "")
		other.want(200, "POST", at+"/leases", `{"kinds": ["a"]}`)
		began := time.Now()
		other.stop()
		if lease, _ := s.lease("a"); lease.str("id") != id || time.Since(began) > 2*time.Second {
			s.Errorf("after %v it gave %s", time.Since(began), lease.text)
		}
		if _, err := q.Get(s.Context(), id); err != nil {
			s.Errorf("the program's own queue: %v", err)
		}
	})
}

func TestRequestsThatWaitAreBounded(t *testing.T) {
	keepShop(t, gateway.Config{MaxPolls: 2}, func(s *shop) {
		ended := make(chan int)
		for range 2 {
			go func() { ended <- s.ask("POST", at+"/leases", `{"kinds": ["a"], "wait": 20}`).status }()
		}
		time.Sleep(time.Second)
		a := s.refuse(429, "too_many_polls", "POST", at+"/leases", `{"kinds": ["a"]}`)
		if a.header.Get("Retry-After") == "" {
			s.Error("no Retry-After")
		}
		s.want(200, "GET", at+"/status", "") // which does not wait
		for range 2 {
			if status := <-ended; status != 204 {
				s.Errorf("a request that waited: %d", status)
			}
		}
		s.want(204, "POST", at+"/leases", `{"kinds": ["a"], "wait": 1}`)
	})
}

func TestBadRequestsOfWorkersSayWhy(t *testing.T) {
	keepShop(t, gateway.Config{}, func(s *shop) {
		leases := at + "/leases"
		s.refuse(400, "bad_task", "POST", leases, `{}`)
		s.refuse(400, "bad_task", "POST", leases, `{"kinds": [""]}`)
		s.refuse(400, "bad_request", "POST", leases, `{"kinds": "a"}`)
		s.refuse(400, "bad_request", "POST", leases, `{"kinds": ["a"], "wait": "long"}`)
		s.refuse(400, "bad_request", "POST", leases, `{"kinds": ["a"], "beat": 0.5}`)
		for _, verb := range []string{"heartbeat", "progress", "complete", "fail", "again", "discard", "release"} {
			body := map[string]string{"progress": `{"data": 1}`, "fail": `{"error": "x"}`, "discard": `{"error": "x"}`}[verb]
			s.refuse(404, "no_lease", "POST", leases+"/nothing/"+verb, body)
		}
		id := s.submit("a", "")
		lease, path := s.lease("a")
		s.refuse(404, "no_lease", "POST", strings.Replace(path, "/shop/", "/other/", 1)+"/complete", "")
		s.refuse(400, "bad_request", "POST", path+"/progress", `{}`)
		s.refuse(400, "bad_request", "POST", path+"/fail", `{}`)
		s.refuse(400, "bad_request", "POST", path+"/discard", ``)
		s.refuse(400, "bad_request", "POST", path+"/again", `{"after": "later"}`)
		s.refuse(400, "bad_request", "POST", path+"/release", `{"why": 1}`)
		s.refuse(413, "too_large", "POST", path+"/progress", `{"data": "`+strings.Repeat("x", task.DefaultMaxBody)+`"}`)
		s.refuse(413, "too_large", "POST", path+"/complete", `{"result": "`+strings.Repeat("x", task.DefaultMaxBody)+`"}`)
		s.refuse(400, "bad_task", "POST", path+"/complete", `{"then": [{"kind": ""}]}`)
		s.refuse(400, "bad_json", "POST", path+"/complete", `{"then": [{"kind": "a", "body": 1e999}]}`)
		s.want(200, "POST", path+"/complete", `{"result": "after all"}`) // none of that has ended the lease
		if a := s.ended(id, task.Done); a.str("result") != "after all" || lease.str("id") != id {
			s.Errorf("in the end: %s", a.text)
		}
	})
}

func TestBodyWithoutAFormInJSONFailsTheAttempt(t *testing.T) {
	keepShop(t, gateway.Config{}, func(s *shop) {
		id, err := s.q.Submit(s.Context(), task.Spec{Kind: "a", Type: "odd", Body: []byte{0xd4, 5, 0}, Attempts: 1}) // an extension
		if err != nil {
			s.Fatal(err)
		}
		s.refuse(502, "bad_body", "POST", at+"/leases", `{"kinds": ["a"]}`)
		if _, err := s.q.Wait(s.Context(), id); !errors.Is(err, task.ErrDead) {
			s.Errorf("it ended with %v", err)
		}
		if a := s.want(200, "GET", taskAt(id), ""); a.str("body_error") == "" || a.body["body"] != nil {
			s.Errorf("shown as %s", a.text)
		}
	})
}

func TestNoSecretIsLogged(t *testing.T) {
	const token = "a-token-that-nobody-knows"
	keepShop(t, gateway.Config{Tokens: []string{token}}, func(s *shop) {
		s.submit("a", "")
		lease, path := s.lease("a")
		s.want(200, "POST", path+"/complete", "")
		s.refuse(404, "no_route", "GET", path+"/none", "")
		s.try(s.Context(), "GET", "/v1/nodes?key="+token, "", func(r *http.Request) { r.Header.Set("X-Request-Id", "mine-1") })
		s.stop()
		text := s.log.String()
		if strings.Contains(text, token) || strings.Contains(text, lease.str("lease")) {
			s.Errorf("the log tells secrets:\n%s", text)
		}
		if !strings.Contains(text, "request=mine-1") || strings.Count(text, "request=") != 5 {
			s.Errorf("the log does not name each request:\n%s", text)
		}
	})
}

// A gateway takes a scope as it is divided: everything goes on, and what would need a
// transaction of two parts is told apart.
func TestDividedScopeIsServed(t *testing.T) {
	keepShopOf(t, task.Config{Parts: 8}, gateway.Config{}, func(s *shop) {
		var ids []string
		for i := range 20 {
			a := s.want(201, "POST", at+"/tasks", fmt.Sprintf(`{"kind": "a", "body": %d, "key": "k%d"}`, i, i%5))
			ids = append(ids, a.str("id"))
		}
		s.refuse(400, "other_part", "POST", at+"/batch", `{"tasks": [{"kind": "a", "key": "k1"}, {"kind": "a", "key": "k2"}, {"kind": "a", "key": "k3"}, {"kind": "a", "key": "k4"}]}`)
		s.want(201, "POST", at+"/batch", `{"tasks": [{"kind": "b", "key": "k1"}, {"kind": "b", "key": "k1"}, {"kind": "b"}]}`)
		for range 20 {
			l := s.want(200, "POST", at+"/leases", `{"kinds": ["a"], "wait": 10}`)
			s.want(200, "POST", at+"/leases/"+l.str("lease")+"/complete", `{"result": "done", "then": [{"kind": "c"}]}`)
		}
		for _, id := range ids {
			if a := s.want(200, "GET", taskAt(id)+"/wait", ""); a.str("state") != "done" {
				t.Errorf("%s: %s", id, a.text)
			}
			s.want(200, "GET", taskAt(id+"/1"), "")
			s.want(200, "POST", taskAt(id+"/1")+"/cancel", "{}")
		}
		a := s.want(200, "GET", at+"/status", "")
		if parts, _ := a.body["parts"].([]any); len(parts) != 8 {
			t.Errorf("status: %s", a.text)
		}
		if a := s.want(200, "GET", at+"/tasks?limit=30", ""); len(a.body["tasks"].([]any)) != 30 {
			t.Errorf("list: %s", a.text)
		}
		s.want(200, "PUT", at+"/schedules/nightly", `{"line": "@every 1h", "task": {"kind": "a"}}`)
		s.refuse(400, "bad_schedule", "PUT", at+"/schedules/keyed", `{"line": "@every 1h", "task": {"kind": "a", "key": "k"}}`)
	})
}
