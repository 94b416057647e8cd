// Package calendar tells at which times a schedule fires. It reads no clock: it is
// asked for the next time after one that it is given.
//
//	tt, err := calendar.Parse("CRON_TZ=Europe/Berlin 30 2 * * *", calendar.Options{})
//	tick, ok := tt.Next(last)      // strictly after last; false: never again
//	id := calendar.ID(tick)        // the same on every node
//
// # Lines
//
//	minute hour day-of-month month day-of-week          */5 9-17 * * MON-FRI
//	second minute hour day-of-month month day-of-week   30 0 4 1,15 * *
//	@hourly @daily @midnight @weekly @monthly @yearly @annually
//	@every 90s                                          a Go duration, of whole seconds
//	@at 2026-12-24T18:00:00+01:00                       once
//
// A field is * or ? (any), a value, a range a-b, one of these with a step (*/n, a-b/n;
// a/n goes to the largest value, which is 7 for the day of
// the week), or a list of them with commas. Months and days of the
// week have names of three letters, in capitals or not; 0 and 7 are Sunday. A range
// may wrap: 22-2, FRI-MON. If both day fields are restricted, either suffices, as in
// crontab(5): "0 0 13 * FRI" is every Friday and every 13th. A field with * and a step
// above 1 is restricted.
//
// CRON_TZ=Zone (or TZ=Zone) and a space before a line say in which zone its fields
// are read, by its name in the IANA database; without it that is Options.Location,
// or UTC. "Local" is refused: it is another zone on each machine.
//
// # Daylight saving
//
// A line that names hours fires once for each reading of the clock that it fits: at
// the moment when the clock first shows it or has gone past it. So
//
//   - what falls into a gap fires once, at the moment when the clock jumps ("30 2 * * *"
//     at 03:00 on the day when 02:00 to 03:00 is missing; all that falls into one gap
//     is one tick);
//   - what falls into a repeated hour fires the first time only.
//
// Such a line fires as often on days of 23 and 25 hours as on others. That holds for
// steps of hours, too (*/2), which keep to the clock.
//
// A line for every hour (* in the hour field, or what comes to the same: @hourly,
// 0-23) is an interval: it fires whenever the clock shows what fits, each time.
// "*/5 * * * *" fires every five minutes through gaps and repeated hours, none
// missed, none twice. A reading that a gap has left out was never due.
//
// It is the same with changes of half an hour (Australia/Lord_Howe), at midnight, or
// by a whole day (Pacific/Apia had no 30 December 2011: that day's ticks of a daily
// line are one, at the beginning of the 31st). "@every" counts elapsed time from its
// anchor, and "@at" is an instant: zones mean nothing to them.
//
// # Failure
//
// A line that cannot be read, or can never fire (30 February), is an error that wraps
// [ErrLine] and names the field and what it may hold. No search is without end: Next
// looks ahead [Horizon], which is more than the eight years that lie between two
// leap days when 2100 is among them.
//
// The rules of zones come from the system's database if it has one (Go looks at
// ZONEINFO first), else from the copy in the program. Nodes whose copies differ can
// differ over the ticks of a zone whose law has changed in between: use UTC, or set
// ZONEINFO, where that matters.
//
// A Timetable may be used by many goroutines. docs/decisions/0015-cron-parser.md says
// which library reads the fields, and what of it is not used.
package calendar
