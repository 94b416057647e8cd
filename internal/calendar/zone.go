package calendar

import (
	"fmt"
	"time"
	_ "time/tzdata" // for machines without a database of zones
)

// zone finds a zone by its name in the IANA database.
func zone(name string) (*time.Location, error) {
	const want = "want a name of the IANA database, such as Europe/Berlin or UTC"
	switch name {
	case "":
		return nil, fmt.Errorf("no time zone is named: %s", want)
	case "Local":
		return nil, fmt.Errorf("time zone Local is another one on each machine: %s", want)
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("unknown time zone %q: %s", name, want)
	}
	return loc, nil
}
