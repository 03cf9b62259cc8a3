// Package ical reads iCalendar files (RFC 5545), as Google, Apple and Outlook export them, into the holidays and windows
// of package calendar.
//
//	file, err := ical.Read(r, &ical.Options{Zone: "Europe/Berlin"})
//	...
//	holidays, err := file.Holidays()
//	cal, err := calendar.New(policy, holidays)
//	plan, err := calendar.NewSchedule(file.Windows(calendar.Freeze))
//
// # Recommendation
//
// ITU-T X.1642, clause 7.2.2.3: the calendar on which a hotline of 5x8 or 7x24 is measured.
//
// # Promises
//
// A file is read whole or not at all. A freeze that is lost because a download broke off, or because a rule was not
// understood, would allow what is forbidden: so a file without its end, a recurrence that package calendar does not
// support, an RDATE or a zone without a known name is an error that names the event. Events that are cancelled are left
// out; an event that was moved out of its series (RECURRENCE-ID) is moved.
//
// Reading is bounded by size, events and depth, whatever the bytes, and takes time in proportion to them.
//
// # What it will not do
//
// Fetch anything, or write. Follow the definitions of zones in the file (VTIMEZONE): a zone is known by its IANA name, or
// by [Options.Zones]. Let a transparent or tentative event be less than another.
package ical
