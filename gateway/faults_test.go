package gateway_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"conclave/conclavetest"
	"conclave/gateway"
	"conclave/task"
)

func TestWhoWaitsSeesNothingOfADispatchersDeath(t *testing.T) {
	keepShop(t, gateway.Config{}, func(s *shop) {
		spare, err := task.Open(s.Node(2).Node, "shop", task.Config{})
		if err != nil {
			s.Fatal(err)
		}
		defer spare.Close(s.Context())
		id := s.submit("a", "")
		_, path := s.lease("a")
		waited, took := make(chan answer), make(chan answer)
		go func() { waited <- s.ask("GET", taskAt(id)+"/wait?wait=1m", "") }()
		go func() { took <- s.ask("POST", at+"/leases", `{"kinds": ["b"], "wait": "1m"}`) }()
		time.Sleep(time.Second)
		s.Kill(0)
		for s.ask("POST", path+"/complete", `{"result": "after all"}`).status != 200 { // after Patience: unknown_outcome
			s.want(200, "GET", "/healthz", "")
		}
		if a := <-waited; a.status != 200 || a.str("result") != "after all" {
			s.Errorf("who waited for the task was told %d %s", a.status, a.text)
		}
		other := s.submit("b", "")
		if a := <-took; a.status != 200 || a.str("id") != other {
			s.Errorf("who waited for a lease was given %d %s", a.status, a.text)
		} else {
			s.want(200, "POST", at+"/leases/"+a.str("lease")+"/complete", "")
		}
	})
}

// A heartbeat is refused before anybody else can have the task.
func TestLeaseOfAGatewayCutOffEndsBeforeTheNextBegins(t *testing.T) {
	keepShop(t, gateway.Config{}, func(s *shop) {
		other := open(s.Cluster, gateway.Config{Node: s.Node(2).Node})
		defer other.stop()
		s.submit("a", "")
		_, path := s.lease("a")
		s.CutZooKeeper(1)
		took := make(chan time.Duration)
		go func() {
			a := other.ask("POST", at+"/leases", `{"kinds": ["a"], "wait": "1m"}`)
			if a.status != 200 || a.body["attempt"] != json.Number("2") {
				s.Errorf("the other gateway gave %s", a.text)
			}
			took <- s.Now()
			other.want(200, "POST", at+"/leases/"+a.str("lease")+"/complete", "")
			close(took)
		}()
		for s.ask("POST", path+"/heartbeat", "").status == 200 {
			time.Sleep(10 * time.Millisecond)
		}
		lost := s.Now()
		s.refuse(409, "lost", "POST", path+"/heartbeat", "")
		if next := <-took; next <= lost {
			s.Errorf("one lease ended after %v, the next began after %v", lost, next)
		}
		s.refuse(409, "lost", "POST", path+"/complete", `{"result": "late"}`)
		<-took
		s.MendZooKeeper(1)
	})
}

// effect is what a worker has done outside of the record.
type effect struct{ attempt, fence int64 }

// Submitters and workers that know nothing but HTTP, two gateways, and everything
// that can go wrong with links, sessions and ZooKeeper.
func TestTasksAreDoneOnceInTheRecordUnderFaults(t *testing.T) {
	const tasks, workers = 150, 6
	conclavetest.Run(t, 0, 5, func(c *conclavetest.Cluster) {
		var queues []*task.Queue
		for _, i := range []int{0, 1, 2} {
			q, err := task.Open(c.Node(i).Node, "shop", task.Config{})
			if err != nil {
				c.Fatal(err)
			}
			queues = append(queues, q)
		}
		c.AwaitHolder("task:shop")
		var gates []*gate
		for _, i := range []int{3, 4} {
			gates = append(gates, open(c, gateway.Config{Node: c.Node(i).Node}))
		}
		var (
			mu       sync.Mutex
			effects  = make(map[string][]effect)
			recorded = make(map[string][]string) // results whose recording was confirmed
			group    sync.WaitGroup
		)
		work, rest := context.WithCancel(c.Context())
		for w := range workers {
			chance, s := c.Chance(fmt.Sprint("worker ", w)), gates[w%2]
			group.Go(func() {
				for work.Err() == nil {
					lease, err := s.try(work, "POST", at+"/leases", `{"kinds": ["a"], "wait": 20, "beat": 10}`)
					if err != nil || lease.status != 200 {
						time.Sleep(100 * time.Millisecond)
						continue
					}
					id, path := lease.str("id"), at+"/leases/"+lease.str("lease")
					attempt, _ := lease.body["attempt"].(json.Number).Int64()
					fence, _ := lease.body["fence"].(json.Number).Int64()
					mu.Lock()
					effects[id] = append(effects[id], effect{attempt, fence})
					mu.Unlock()
					time.Sleep(time.Duration(chance.IntN(3000)) * time.Millisecond)
					switch n := chance.IntN(10); {
					case n == 0:
						continue // it has died
					case n == 1:
						s.try(c.Context(), "POST", path+"/fail", `{"error": "no luck"}`)
						continue
					}
					result := fmt.Sprint(w, " at ", fence)
					for said := 0; said < 20; said++ {
						a, err := s.try(c.Context(), "POST", path+"/complete", `{"result": "`+result+`"}`)
						if err == nil && a.status == 200 {
							mu.Lock()
							recorded[id] = append(recorded[id], result)
							mu.Unlock()
						}
						if err == nil && a.status < 500 && (said > 0 || chance.IntN(4) > 0) { // sometimes twice
							break
						}
					}
				}
			})
		}
		var submitters sync.WaitGroup
		for k := range 3 {
			s := gates[k%2]
			submitters.Go(func() {
				for i := k; i < tasks; i += 3 {
					body := fmt.Sprintf(`{"id": "t%d", "kind": "a", "attempts": 1000, "backoff": {"from": 0.1, "to": 2}}`, i)
					for {
						if a, err := s.try(c.Context(), "POST", at+"/tasks", body); err == nil && a.status == 201 {
							break
						}
						time.Sleep(time.Second)
					}
					time.Sleep(300 * time.Millisecond)
				}
			})
		}
		c.Faults(3*time.Minute, 40, conclavetest.KindPause, conclavetest.KindPartition, conclavetest.KindIsolate, conclavetest.KindOneWay,
			conclavetest.KindDelay, conclavetest.KindCutZooKeeper, conclavetest.KindLoseReplies, conclavetest.KindLoseReply, conclavetest.KindFlap,
			conclavetest.KindExpire, conclavetest.KindZooKeeperDown, conclavetest.KindFreeze)
		submitters.Wait()
		for i := range tasks {
			id := fmt.Sprint("t", i)
			var a answer
			c.AwaitWithin(10*time.Minute, id+" has ended", func() bool {
				a = gates[0].ask("GET", taskAt(id)+"/wait?wait=30", "")
				return a.status == 200
			})
			mu.Lock()
			if a.str("state") != "done" {
				c.Errorf("%s ended as %s", id, a.text)
			}
			for _, result := range recorded[id] {
				if result != a.str("result") {
					c.Errorf("%s: %q was said to be recorded, and %s is", id, result, a.text)
				}
			}
			for n, e := range effects[id] {
				if n > 0 && (e.attempt <= effects[id][n-1].attempt || e.fence <= effects[id][n-1].fence) {
					c.Errorf("%s: attempts and fences do not rise: %v", id, effects[id])
				}
			}
			if len(effects[id]) == 0 {
				c.Errorf("%s: nobody did it", id)
			}
			mu.Unlock()
		}
		rest()
		group.Wait()
		twice, answers := 0, 0
		for id := range effects {
			answers += len(recorded[id])
			if len(effects[id]) > 1 {
				twice++
			}
		}
		c.Logf("%d of %d tasks were worked on more than once; %d outcomes were confirmed", twice, tasks, answers)
		for _, s := range gates {
			s.stop()
		}
		for _, q := range queues {
			q.Close(c.Context())
		}
	})
}

// Whatever is asked: it is no error of the gateway's, and the answer is as described.
func TestNoRequestIsMoreThanTheGatewayCanAnswer(t *testing.T) {
	paths := []string{
		at + "/tasks", at + "/batch", at + "/leases", at + "/schedules/s", taskAt("1") + "/cancel", taskAt("1") + "/retry", taskAt("1"), at + "/status",
		at + "/leases/L/complete", at + "/leases/L/progress", at + "/leases/L/fail", at + "/leases/L/again", at + "/leases/L/discard", at + "/leases/L/release", at + "/leases/L/heartbeat",
		"/v1/globals/boss/call", "/v1/globals/boss/send", "/v1/services/echo/call", "/v1/services/echo/send",
	}
	bodies := []string{
		`{"id": "1", "kind": "a", "type": "main.Job", "body": {"x": [1, 2.5, null, {"$bytes": "AA=="}]}, "meta": {"m": "1"}, "key": "k", "unique": "u", "delay": "1s", "priority": 1, "attempts": 5, "backoff": {"from": 0.5, "to": "1m"}, "timeout": 60, "beat": "20s", "needs": {"a": "b"}}`,
		`{"tasks": [{"kind": "b", "at": "2001-01-01T00:00:00Z"}, {"id": "2", "kind": "a"}]}`,
		`{"kinds": ["a", "b"], "wait": 0.01, "beat": 60}`, `{"data": [1]}`, `{"error": "x"}`, `{"after": "1h"}`,
		`{"result": {"$time": "2001-01-01T00:00:00Z"}, "type": "x", "then": [{"kind": "a", "id": "1"}]}`,
		`{"line": "*/5 * * * *", "zone": "Europe/Berlin", "task": {"kind": "c", "body": 1}, "missed": {"how": "all", "most": 3, "grace": 1}, "overlap": "queue"}`,
		`{"type": "gateway_test.job", "body": {"Text": "x"}, "wait": 0.01, "all": true}`, `{}`,
	}
	pieces := []string{"", `"`, `\u0000`, "\xff", "{", "}", "[", "]", "null", "-1", "1e400", "99999999999999999999", `"` + strings.Repeat("x", 300) + `"`, `"2001"`, "true", ",", ":", "0"}
	mutate := func(r *rand.Rand, text string) string {
		for range r.IntN(4) {
			from := r.IntN(len(text) + 1)
			to := min(from+r.IntN(6), len(text))
			text = text[:from] + pieces[r.IntN(len(pieces))] + text[to:]
		}
		return text
	}
	keepShop(t, gateway.Config{Patience: 100 * time.Millisecond}, func(s *shop) {
		s.Node(2).Stand("boss", boss)
		s.Node(2).Offer("echo", boss)
		s.AwaitHolder("boss")
		s.loose = true
		for i := range 3000 {
			if s.Rand.IntN(100) == 0 {
				s.submit("a", "") // so that leases are had
			}
			path := paths[s.Rand.IntN(len(paths))]
			if i%3 == 0 {
				path += mutate(s.Rand, "?limit=1&state=done&wait=0.1&after=1")
				if strings.ContainsAny(path, " \x00\"{}\\") || strings.Contains(path, "\xff") {
					path = taskAt(path)
				}
			}
			body, method := mutate(s.Rand, bodies[s.Rand.IntN(len(bodies))]), []string{"GET", "POST", "POST", "POST", "PUT", "DELETE"}[s.Rand.IntN(6)]
			a, err := s.try(s.Context(), method, path, body)
			if err != nil {
				s.Fatalf("%s %s %q: %v", method, path, body, err)
			}
			if a.status == http.StatusInternalServerError || a.status >= 400 && a.code() == "" {
				s.Errorf("%s %s %q: %d %s", method, path, body, a.status, a.text)
			}
		}
	})
}
