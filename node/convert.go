package node

import (
	"sync"

	"conclave/actor"
	"conclave/codec"
	"conclave/transport"
)

// Flags of frames, per kind. See docs/wire.md.
const (
	exitStop        transport.Flags = 1 // Exit: somebody called Exit; no link is involved
	demonitorCancel transport.Flags = 1 // Demonitor: Ref is a call whose caller waits no longer
)

var frameKinds = [...]transport.Kind{
	actor.KindMessage:    transport.Message,
	actor.KindCall:       transport.Call,
	actor.KindReply:      transport.Reply,
	actor.KindReplyError: transport.ReplyError,
	actor.KindCancel:     transport.Demonitor,
	actor.KindLink:       transport.Link,
	actor.KindUnlink:     transport.Unlink,
	actor.KindExit:       transport.Exit,
	actor.KindStop:       transport.Exit,
	actor.KindMonitor:    transport.Monitor,
	actor.KindDemonitor:  transport.Demonitor,
	actor.KindDown:       transport.Down,
	actor.KindConfirm:    transport.Reply,
}

// scratch is where bodies are encoded before they are appended to a batch, so
// that a slow or failing encoder of a user's type holds nobody up.
var scratch = sync.Pool{New: func() any { b := make([]byte, 0, 1024); return &b }}

const maxScratch = 4 << 20 // larger ones are not kept

// encodeBody gives the type name and the bytes of a body, in buf where they
// have to be made.
func encodeBody(buf *[]byte, body any) (string, []byte, error) {
	switch b := body.(type) {
	case actor.Raw: // passed on as it came
		return b.Type, b.Body, nil
	case *remoteBody:
		return b.sort.typ, b.data(), nil
	}
	out, typ, err := codec.Append((*buf)[:0], body)
	if cap(out) <= maxScratch && err == nil {
		*buf = out[:0]
	}
	return typ, out, err
}

// fillFrame writes e into f, which is empty; body holds the encoded body or gets the reason.
func fillFrame(f *transport.Frame, e *actor.Envelope, typ string, body []byte) {
	// Field by field: a whole Frame would be put together elsewhere and then copied,
	// which at this place takes several times as long.
	f.Kind = frameKinds[e.Kind]
	f.From, f.To, f.ToName = e.From.Serial(), e.To.Serial(), e.Name
	f.Ref = e.Ref
	f.Type, f.Body = typ, body
	if !e.Term.IsZero() {
		f.Scope, f.TermNumber = e.Term.Scope(), e.Term.Number()
	}
	if e.Carrier != "" {
		f.Ext = transport.AppendExtension(nil, transport.ExtTrace, []byte(e.Carrier))
	}
	switch e.Kind {
	case actor.KindStop:
		f.Flags = exitStop
	case actor.KindCancel:
		f.Flags = demonitorCancel
	}
}

func hasReason(k actor.Kind) bool {
	switch k {
	case actor.KindReplyError, actor.KindExit, actor.KindStop, actor.KindDown:
		return true
	}
	return false
}

// envelope turns a frame that came from peer into what the system takes. It
// says false for kinds that do not belong in the messages lane.
func (p *peer) envelope(c *connection, f *transport.Frame) (e actor.Envelope, ok bool) {
	e.From = p.base.WithSerial(f.From)
	e.To = p.links.self.WithSerial(f.To)
	e.Name, e.Ref = f.ToName, f.Ref
	if p.links.traced && len(f.Ext) > 0 {
		carrier, _ := transport.Extension(f.Ext, transport.ExtTrace)
		e.Carrier = string(carrier)
	}
	if f.Scope != "" {
		e.Term = actor.MakeTerm(c.cluster, f.Scope, f.TermNumber)
	}
	switch f.Kind {
	case transport.Message:
		e.Kind = actor.KindMessage
	case transport.Call:
		e.Kind = actor.KindCall
	case transport.Reply:
		e.Kind = actor.KindReply
	case transport.ReplyError:
		e.Kind = actor.KindReplyError
	case transport.Link:
		e.Kind = actor.KindLink
	case transport.Unlink:
		e.Kind = actor.KindUnlink
	case transport.Exit:
		e.Kind = actor.KindExit
		if f.Flags&exitStop != 0 {
			e.Kind = actor.KindStop
		}
	case transport.Monitor:
		e.Kind = actor.KindMonitor
	case transport.Demonitor:
		e.Kind = actor.KindDemonitor
		if f.Flags&demonitorCancel != 0 {
			e.Kind = actor.KindCancel
		}
	case transport.Down:
		e.Kind = actor.KindDown
	default:
		return e, false
	}
	switch e.Kind {
	case actor.KindMessage, actor.KindCall, actor.KindReply:
		e.Body = newRemoteBody(&p.way, f)
	default:
		if hasReason(e.Kind) {
			e.Reason = parseReason(f.Body)
		}
	}
	return e, true
}
