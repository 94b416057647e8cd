package child

import "testing"

func TestDamageOfABodyIsSeen(t *testing.T) {
	for _, size := range []int{0, 1, Small, stride, stride + 1, BodyR5} {
		if b := Payload(size); !Intact(b, size) || Intact(append(b, 0), size) {
			t.Errorf("%d bytes: a whole body is damaged, or a longer one is not", size)
		}
	}
	b := Payload(BodyR5)
	if Intact(append(b[stride:], b[:stride]...), BodyR5) {
		t.Error("a body whose parts have changed places is taken for whole")
	}
}
