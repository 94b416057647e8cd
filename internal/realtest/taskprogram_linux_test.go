package realtest

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"conclave/internal/guard"
	"conclave/internal/keeper"
	"conclave/task"
)

// What the program does and says of durable tasks.

const shop = "shop"

// What it says of the runs of its handlers, each with a run in Text.
const (
	runBegan  = "run began"
	runTold   = "run was told to stop"
	runEnded  = "run ended"
	runEffect = "effect" // on the outside: what the handler is for
)

// run is one run of a handler.
type run struct {
	ID, Key string
	Attempt int
	Fence   uint64
	Error   string
}

// job is the body of the tasks.
type job struct {
	First, Later time.Duration // the work of the first attempt, and of others
	Stubborn     bool          // it heeds its context only after that
	Deadly       bool          // it ends the process
}

// jobs is the program's part in the scope.
type jobs struct{ queue *task.Queue }

// openTasks takes part in the scope: "dispatch", "work", or both.
func (p *program) openTasks(roles string) {
	cfg := task.Config{
		NoDispatch: !strings.Contains(roles, "dispatch"),
		Slots:      16,
		Logger:     slog.New(slog.NewTextHandler(os.Stderr, nil)),
		OnEvent: func(e task.Event) {
			l := line{What: string(e.Kind), From: e.Task}
			if e.Err != nil {
				l.Text = e.Err.Error()
			}
			p.say(l)
		},
	}
	q, err := task.Open(p.node, shop, cfg)
	if err == nil && strings.Contains(roles, "work") {
		err = task.Handle(q, "job", p.job)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	p.jobs.queue = q
}

// job does the work, and reports when it began, was told to stop, had its effect
// and ended.
func (p *program) job(ctx context.Context, t *task.Task, b job) (err error) {
	r := run{ID: t.ID(), Key: t.Key(), Attempt: t.Attempt(), Fence: t.Fence()}
	p.tellRun(runBegan, r, nil)
	defer context.AfterFunc(ctx, func() { p.tellRun(runTold, r, context.Cause(ctx)) })()
	defer func() { p.tellRun(runEnded, r, err) }()
	if b.Deadly {
		os.Exit(3)
	}
	work := b.Later
	if r.Attempt == 1 {
		work = b.First
	}
	done, told := time.After(work), ctx.Done()
	if b.Stubborn {
		told = nil
	}
	select {
	case <-done:
	case <-told:
		return context.Cause(ctx)
	}
	p.tellRun(runEffect, r, nil)
	return t.Return(r.Attempt)
}

func (p *program) tellRun(what string, r run, err error) {
	if err != nil {
		r.Error = err.Error()
	}
	text, _ := json.Marshal(r)
	p.say(line{What: what, Number: int64(r.Fence), Text: string(text)})
}

// runGuard runs the program under a guard, as "conclave guard" does.
func runGuard() {
	os.Setenv("CONCLAVE_TEST_PROGRAM", asProgram)
	os.Exit(guard.Run(context.Background(), guard.Options{
		Program: os.Args[0], Args: os.Args[1:],
		Close: func(ctx context.Context, s guard.Session) (bool, error) {
			return keeper.CloseSession(ctx, keeper.Handover{Servers: s.Servers, Session: s.ID, Password: s.Password, Timeout: s.Timeout}, nil)
		},
		Say:   func(text string) { fmt.Fprintln(os.Stderr, "guard:", text) },
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
	}))
}
