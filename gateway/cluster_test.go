package gateway_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"conclave/actor"
	"conclave/gateway"
)

type job struct{ Text string }

type taken struct {
	By    string
	Count int
}

// boss answers jobs, and numbers with their double; it fails on strings.
func boss(p *actor.Process) error {
	for count := 1; ; count++ {
		m, err := p.Receive()
		if err != nil {
			return err
		}
		if j, is := actor.As[job](m); is {
			p.Reply(m, taken{By: j.Text, Count: count})
		} else if n, is := actor.As[int64](m); is {
			p.Reply(m, 2*n)
		} else if b, is := actor.As[map[string]any](m); is {
			p.Reply(m, len(b))
		} else if text, is := actor.As[string](m); is && text == "end" {
			return errors.New("as you wish")
		} else if is {
			p.Reply(m, make(chan int))
		}
	}
}

func TestGlobalIsCalledAndSentTo(t *testing.T) {
	keepShop(t, gateway.Config{}, func(s *shop) {
		got := make(chan job, 1)
		s.Node(2).Stand("boss", boss)
		s.Node(0).Stand("quiet", func(p *actor.Process) error {
			for {
				j, _, err := actor.Expect[job](p)
				if err != nil {
					return err
				}
				got <- j
			}
		})
		s.AwaitHolder("boss")
		s.AwaitHolder("quiet")
		const calls = "/v1/globals/boss/call"
		for body, want := range map[string]string{
			`{"type": "gateway_test.job", "body": {"Text": "dig"}}`: "gateway_test.taken",
			`{"body": 9007199254740993}`:                            "int64",
			`{"body": {"a": 1, "b": 2}}`:                            "int",
		} {
			if a := s.want(200, "POST", calls, body); a.str("type") != want || a.str("from") == "" {
				s.Errorf("%s: %s", body, a.text)
			} else if want == "int64" && a.body["body"] != json.Number("18014398509481986") || want == "int" && a.body["body"] != json.Number("2") {
				s.Errorf("%s: %s", body, a.text)
			}
		}
		s.want(202, "POST", "/v1/globals/quiet/send", `{"type": "gateway_test.job", "body": {"Text": "rest"}}`)
		if j := <-got; j.Text != "rest" {
			s.Errorf("it was sent %+v", j)
		}
		a := s.want(200, "GET", "/v1/globals/boss", "")
		if node := a.body["node"].(map[string]any); node["name"] != "n2" || a.body["term"] == nil {
			s.Errorf("the holder is %s", a.text)
		}
		s.refuse(504, "unknown_outcome", "POST", "/v1/globals/quiet/call", `{"type": "gateway_test.job", "body": {}, "wait": 2}`)
		s.refuse(503, "no_holder", "POST", "/v1/globals/nobody/call", `{"body": 1, "wait": "2s"}`)
		s.refuse(503, "no_holder", "POST", "/v1/globals/nobody/send", `{"body": 1, "wait": "2s"}`)
		s.refuse(503, "no_holder", "GET", "/v1/globals/nobody", "")
		s.refuse(504, "unknown_outcome", "POST", calls, `{"body": "end"}`)
		s.refuse(400, "bad_request", "POST", calls, `{"type": "gateway_test.job"}`)
		s.refuse(400, "bad_request", "POST", calls, `{"body": 1, "all": true}`)
		s.refuse(400, "bad_json", "POST", calls, `{"body": 1e999}`)
		s.refuse(400, "bad_name", "GET", "/v1/globals/%00", "")
	})
}

func TestServiceIsCalledAndSentTo(t *testing.T) {
	keepShop(t, gateway.Config{}, func(s *shop) {
		got := make(chan string, 4)
		for _, i := range []int{0, 2} {
			name := s.Node(i).Name()
			s.Node(i).Offer("echo", func(p *actor.Process) error {
				for {
					m, err := p.Receive()
					if err != nil {
						return err
					}
					if j, is := actor.As[job](m); is && m.IsCall() {
						p.Reply(m, j)
					} else if is {
						got <- name
					}
				}
			})
		}
		members := func() int {
			return len(s.want(200, "GET", "/v1/services/echo", "").body["members"].([]any))
		}
		s.Await("both offer it", func() bool { return members() == 2 })
		if a := s.want(200, "POST", "/v1/services/echo/call", `{"type": "gateway_test.job", "body": {"Text": "hello"}}`); a.str("type") != "gateway_test.job" || fmt.Sprint(a.body["body"]) != "map[Text:hello]" {
			s.Errorf("the answer is %s", a.text)
		}
		s.want(202, "POST", "/v1/services/echo/send", `{"type": "gateway_test.job", "body": {}}`)
		<-got
		if a := s.want(202, "POST", "/v1/services/echo/send", `{"type": "gateway_test.job", "body": {}, "all": true}`); a.body["sent"] != json.Number("2") {
			s.Errorf("sent to all: %s", a.text)
		}
		if first, second := <-got, <-got; first == second {
			s.Errorf("both came to %s", first)
		}
		s.refuse(503, "no_service", "POST", "/v1/services/nobody/call", `{"body": 1}`)
		s.refuse(503, "no_service", "POST", "/v1/services/nobody/send", `{"body": 1}`)
		s.refuse(504, "timeout", "POST", "/v1/services/echo/call", `{"body": 1, "wait": 3}`)
		if a := s.want(200, "GET", "/v1/services", ""); fmt.Sprint(a.body["services"]) != "[echo]" {
			s.Errorf("services: %s", a.text)
		}
		if a := s.want(200, "GET", "/v1/nodes", ""); len(a.body["nodes"].([]any)) != 3 {
			s.Errorf("nodes: %s", a.text)
		}
		if a := s.want(200, "GET", "/v1/services/nobody", ""); len(a.body["members"].([]any)) != 0 {
			s.Errorf("nobody's members: %s", a.text)
		}
	})
}

func TestReadinessFollowsZooKeeper(t *testing.T) {
	keepShop(t, gateway.Config{}, func(s *shop) {
		s.want(200, "GET", "/healthz", "")
		s.want(200, "GET", "/readyz", "")
		s.CutZooKeeper(1)
		time.Sleep(time.Minute)
		s.want(200, "GET", "/healthz", "")
		a := s.refuse(503, "no_zookeeper", "GET", "/readyz", "")
		if a.header.Get("Retry-After") == "" {
			s.Error("no Retry-After")
		}
		s.MendZooKeeper(1)
		s.Await("it is ready again", func() bool { return s.ask("GET", "/readyz", "").status == 200 })
	})
}

// The gateway stops while a call is under way: nobody knows what becomes of that, and
// the client is not told to make it again.
func TestCallThatAStoppingGatewayGivesUpHasAnUnknownOutcome(t *testing.T) {
	keepShop(t, gateway.Config{}, func(s *shop) {
		taken := make(chan struct{}, 2)
		deaf := func(p *actor.Process) error {
			for {
				if _, err := p.Receive(); err != nil {
					return err
				}
				taken <- struct{}{}
			}
		}
		s.Node(0).Stand("deaf", deaf)
		s.AwaitHolder("deaf")
		s.Node(0).Offer("deaf", deaf)
		if _, err := s.Node(2).WaitCapable(s.Context(), "deaf", 1); err != nil {
			s.Fatal(err)
		}
		other := open(s.Cluster, gateway.Config{Node: s.Node(2).Node})
		answers := make(chan answer, 3)
		for _, path := range []string{"/v1/globals/deaf/call", "/v1/services/deaf/call", "/v1/globals/nobody/call"} {
			go func() {
				a, err := other.try(s.Context(), "POST", path, `{"body": 1, "wait": "1m"}`)
				if err != nil {
					s.Error(err)
				}
				if want := map[bool]string{true: "stopping", false: "unknown_outcome"}[strings.Contains(path, "nobody")]; a.code() != want {
					s.Errorf("%s was told %d %s, want %s", path, a.status, a.text, want)
				}
				answers <- a
			}()
		}
		<-taken
		<-taken
		time.Sleep(time.Second)
		other.end()
		for range 3 {
			<-answers
		}
		other.stop()
	})
}
