package task

import (
	"testing"
)

func TestFollowersComeWithTheCompletion(t *testing.T) {
	d := newDesk(t)
	w := d.worker("w", 1, "dig", "mail")
	d.must(d.submit(Of("dig", 0, ID("a"))))
	a := w.one()
	w.ends(a, howDone, Of("mail", 1), Of("mail", 2, ID("m"), Unique("u")), Of("mail", 3, Unique("u")))
	d.is("a", Done)
	if i := d.info("a/1"); i.Parent != "a" || i.Kind != "mail" {
		t.Errorf("%+v", i)
	}
	d.is("m", Waiting)
	if d.table.entries["a/3"] != nil {
		t.Error("a follower whose unique key is taken was submitted")
	}
	if w.ends(a, howDone, Of("mail", 9, ID("z"))); d.table.entries["z"] != nil {
		t.Error("followers of a completion that is said again were submitted again")
	}
}

func TestFollowerWhoseIDIsAnothersIsTold(t *testing.T) {
	d := newDesk(t)
	w := d.worker("w", 1, "dig")
	d.must(d.submit(Of("fill", 1, ID("f"))))
	d.must(d.submit(Of("dig", 1, ID("a"))))
	a := w.one()
	d.table.step(&news{from: w.pid, body: &outcomes{Worker: "w", List: []outcome{{ID: "a", Fence: a.Fence, How: howDone, Then: []Spec{Of("fill", 2, ID("f"))}}}}}, d.now)
	if len(d.table.happening) != 1 || d.table.happening[0].Kind != FollowerLeftOut || d.table.happening[0].Task != "a" {
		t.Errorf("%v", d.table.happening)
	}
}
