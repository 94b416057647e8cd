package child

import (
	"strconv"
	"testing"
	"testing/synctest"
)

// fake is a Remote of channels. It loses each message whose number can be divided
// by lose, and damages those that can be divided by damage.
type fake struct {
	lose, damage int
	receivers    []chan letter
}

type letter struct {
	body   []byte
	answer chan struct{} // nil: nobody asks
}

func (f *fake) Serve(size int, got func(bool)) string {
	in := make(chan letter)
	f.receivers = append(f.receivers, in)
	go func() {
		for l := range in {
			got(Intact(l.body, size))
			if l.answer != nil {
				l.answer <- struct{}{}
			}
		}
	}()
	return strconv.Itoa(len(f.receivers) - 1)
}

func (f *fake) Spawn(address string, size int, run func(Port)) {
	n, _ := strconv.Atoi(address)
	body := Payload(size)
	sent := 0
	go run(Port{
		Send: func() error {
			sent++
			switch {
			case f.lose > 0 && sent%f.lose == 0:
			case f.damage > 0 && sent%f.damage == 0:
				f.receivers[n] <- letter{body: body[1:]}
			default:
				f.receivers[n] <- letter{body: body}
			}
			return nil
		},
		Call: func() error {
			l := letter{body, make(chan struct{})}
			f.receivers[n] <- l
			<-l.answer
			return nil
		},
	})
}

// work runs both sides of a workload over f, and returns what they say together.
func work(t *testing.T, f *fake, name string, n int) map[string]float64 {
	t.Helper()
	roles := Roles("", func(*Child) Remote { return f })
	received := make(chan map[string]float64, 1)
	go func() { received <- roles[name+" recv"](&Child{N: n}) }()
	synctest.Wait()
	to := &Child{N: n}
	for i := range f.receivers {
		to.Args = append(to.Args, strconv.Itoa(i))
	}
	values := roles[name+" send"](to)
	for k, v := range <-received {
		values[k] = v
	}
	for _, in := range f.receivers {
		close(in)
	}
	return values
}

func TestEveryWorkloadCountsWhatItSends(t *testing.T) {
	for _, name := range []string{"R1", "R1m", "R2", "R3", "R4", "R5", "R5h"} {
		synctest.Test(t, func(t *testing.T) {
			values := work(t, &fake{}, name, 1000)
			if values["sent"] != 1000 || values["got"] != 1000 {
				t.Errorf("%s: sent %v, got %v, want 1000", name, values["sent"], values["got"])
			}
		})
	}
}

func TestWhatIsLostOrDamagedIsMissing(t *testing.T) {
	for _, name := range []string{"R1", "R5"} {
		for _, f := range []*fake{{lose: 100}, {damage: 100}} {
			synctest.Test(t, func(t *testing.T) {
				values := work(t, f, name, 1000)
				if lost := values["sent"] - values["got"]; lost != 10 {
					t.Errorf("%s: %v messages are missing, want 10", name, lost)
				}
			})
		}
	}
}

func TestSlowConsumerTakesAThousandMessagesInFiveMilliseconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		values := work(t, &fake{}, "R1m", 100_000)
		if took := (values["end"] - values["start"]) / 1e9; took < 0.4 || took > 0.6 {
			t.Errorf("100,000 messages took %v s, want half a second", took)
		}
	})
}
