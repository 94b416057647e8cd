package zkdev

// getChildren answers getChildren and getChildren2; the second also tells the
// parent's Stat.
func (k *call) getChildren() error {
	n, err := k.readable(watchChild)
	if err != nil {
		return err
	}
	k.out.strings(n.names())
	if k.op == opGetChildren2 {
		k.out.stat(n)
	}
	return nil
}
