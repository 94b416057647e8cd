package actor

import "log/slog"

// Logger is the system's logger, which tells the node ("node"), with the process's
// PID ("pid") and, if it acts under one, its term ("term"). It is made anew by each
// call: a process that logs much keeps it.
func (p *Process) Logger() *slog.Logger {
	log := p.sys.cfg.Logger.With("pid", p.pid)
	if t := p.Term(); !t.IsZero() {
		log = log.With("term", t)
	}
	return log
}

// Logger is that of SystemConfig, which tells the node ("node"): for the parts of the
// runtime that log where no process is.
func (s *System) Logger() *slog.Logger { return s.cfg.Logger }

// LogValue is how a node stands in a log: as its String, whatever the handler.
func (id NodeID) LogValue() slog.Value { return slog.StringValue(id.String()) }

// LogValue is how a term stands in a log: as its String, whatever the handler.
func (t Term) LogValue() slog.Value { return slog.StringValue(t.String()) }
