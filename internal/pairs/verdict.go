package pairs

import "fmt"

// Verdict is what has become of the messages of one sender, or of several.
type Verdict struct {
	Sent, Received, Lost int      // of streams whose receivers live; what is lost, the senders know of
	Ended                int      // sent to receivers that have ended
	NotSent              int      // Send returned an error
	Told                 int      // how often a sender was told that a link or a receiver is gone
	Unasked              int      // sent by senders that were stopped before they had asked what came
	Orphaned             int      // what came of streams whose senders did not ask
	Wrong                []string // what must not have happened
}

// Add adds what has become of other messages.
func (v *Verdict) Add(o Verdict) {
	v.Sent += o.Sent
	v.Received += o.Received
	v.Lost += o.Lost
	v.Ended += o.Ended
	v.NotSent += o.NotSent
	v.Told += o.Told
	v.Unasked += o.Unasked
	v.Orphaned += o.Orphaned
	v.Wrong = append(v.Wrong, o.Wrong...)
}

func (v Verdict) String() string {
	text := fmt.Sprintf("%d messages sent, %d received, %d lost and told of, %d to receivers that ended, %d not sent; %d times told",
		v.Sent, v.Received, v.Lost, v.Ended, v.NotSent, v.Told)
	if v.Unasked > 0 || v.Orphaned > 0 {
		text += fmt.Sprintf("; %d by senders that left without asking; %d came that nobody asked for", v.Unasked, v.Orphaned)
	}
	return text
}
