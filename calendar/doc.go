// Package calendar counts the time of a service: when the hotline is staffed, how much of its time has passed, when a
// deadline falls, and when a change may run. It is values and pure functions: no clock, no store.
//
// # Recommendation
//
// ITU-T X.1642, clause 7.2.2.3: an emergency response hotline of 5x8 or 7x24, with failure acceptance and
// troubleshooting times that run on that service time. Freeze and maintenance windows serve the updates of clause 8.7 and
// the changes of clause 8.8.
//
// # In short
//
//	cal, err := calendar.New(calendar.Policy{
//		Zone:  "Europe/Berlin",
//		Hours: calendar.FiveByEight(calendar.Clock(9, 0)),
//		Holidays: []calendar.Holiday{
//			{Name: "Easter Monday", On: "easter+1"},
//			{Name: "Christmas Eve", On: "12-24", Open: []calendar.Span{{Start: calendar.Clock(9, 0), End: calendar.Clock(12, 0)}}},
//		},
//	})
//	...
//	due, err := cal.Add(reported, 4*time.Hour)     // the deadline of four service hours
//	spent := cal.Between(reported, acknowledged)   // what it took
//
//	plan, err := calendar.NewSchedule(windows)     // maintenance and freezes
//	err = plan.Check(now, 2*time.Hour)             // nil, or which freeze stands against it
//	slot, err := plan.Earliest(now, 2*time.Hour)   // the first time for a change of two hours, and why not before
//
// Policies and windows are data, and read strictly from JSON. Holidays may come from any source with one method; package
// ical reads them, and windows, from iCalendar files.
//
// # Promises
//
// Time is exact, and is what elapses: a 7x24 day on which the clock is changed has 23 hours or 25, and a day of 09:00 to
// 17:00 has 8 unless the change falls into it. One rule turns local times into instants: a boundary is the first instant
// at which the clock shows that time or a later one. A time that is skipped is the instant of the change; a time that
// comes twice counts when it first comes, for starts and ends alike, so that what touches on the clock touches in time,
// nothing counts twice, and all spans of a day add up to what it lasted. A day that a zone skipped (Pacific/Apia, 30
// December 2011) has no service time. Tests compare all this with zoneinfo of Python.
//
// A span or window belongs to the day on which it starts: the night shift that begins before a holiday is held to its
// end, and the one that would begin on it is not held.
//
// Between adds up: Between(a, b) + Between(b, c) is Between(a, c). Add is its inverse. Both are the same on every
// machine that has the same zone database ([time.LoadLocation]; a program for machines without one imports time/tzdata).
// Rules that governments change change the answer for the future: record deadlines as instants.
//
// # What it will not do
//
// Leap seconds: time is that of POSIX, in which each day of UTC has 86,400 seconds. Holidays of countries: they are
// data, and change. The zone of the machine: an agreement names its zone.
package calendar
