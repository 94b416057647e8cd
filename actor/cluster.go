package actor

// GetCapable is who offers the service in the cluster, from this node's cache:
// it makes no request unless nothing is cached yet, and then waits until p must
// stop. The slice is shared: it must not be changed.
func (p *Process) GetCapable(service string) ([]PID, error) {
	if p.sys.cfg.Directory == nil {
		return nil, ErrNoDirectory
	}
	return p.sys.cfg.Directory.GetCapable(p, service)
}

// WaitCapable waits until at least n processes offer the service, or p must stop.
func (p *Process) WaitCapable(service string, n int) ([]PID, error) {
	if p.sys.cfg.Directory == nil {
		return nil, ErrNoDirectory
	}
	return p.sys.cfg.Directory.WaitCapable(p, service, n)
}

// WhereisGlobal is the process that holds the name in the cluster, from this
// node's cache. While nobody does it waits, until p must stop.
func (p *Process) WhereisGlobal(name string) (PID, error) {
	if p.sys.cfg.Directory == nil {
		return PID{}, ErrNoDirectory
	}
	return p.sys.cfg.Directory.WhereisGlobal(p, name)
}
