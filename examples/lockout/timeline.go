package main

import (
	_ "embed"
	"html/template"
	"io"
	"time"
)

//go:embed timeline.svg
var timelineText string

// picture is a timeline of the account that is guessed at: a lane for each preset.
type picture struct {
	Width, Height int
	Title         string
	Hours         []tick
	Lanes         []lane
}

type tick struct {
	X     int
	Label string
}

type lane struct {
	Y      int
	Preset string
	Locked []box
	Dots   []dot
}

type box struct{ X, Width float64 }

type dot struct {
	X     float64
	Row   int
	Class string
}

const (
	leftEdge  = 190
	hourWidth = 120
	laneTop   = 102
	laneStep  = 98
)

func x(at time.Time) float64 {
	return leftEdge + min(max(at.Sub(morning).Hours(), 0), hours)*hourWidth
}

// rows are where the dots of a lane are: attackers above, and the owner in three places.
var rows = map[string]int{guesser: 10, sprayer: 22, onDevice: 36, atHome: 48, away: 60}

func draw(w io.Writer, o *outcome) error {
	p := picture{
		Width: leftEdge + hours*hourWidth + 30, Height: laneTop + laneStep*len(o.Runs) + 10,
		Title: "One account, guessed at: what each preset lets through",
	}
	for h := range hours + 1 {
		at := morning.Add(time.Duration(h) * time.Hour)
		p.Hours = append(p.Hours, tick{int(x(at)), at.Format("15:04")})
	}
	for i, r := range o.Runs {
		l := lane{Y: laneTop + i*laneStep, Preset: r.Preset}
		for _, s := range r.locked {
			l.Locked = append(l.Locked, box{x(s.from), max(x(s.to)-x(s.from), 0.5)})
		}
		for _, m := range r.marks {
			class := "out" // an owner who is not let in
			switch {
			case rows[m.by] < rows[onDevice] && !m.verified:
				continue
			case rows[m.by] < rows[onDevice]:
				class = "guess"
			case m.in:
				class = "in"
			case m.verified:
				class = "typo"
			}
			l.Dots = append(l.Dots, dot{x(m.at), rows[m.by], class})
		}
		p.Lanes = append(p.Lanes, l)
	}
	t, err := template.New("timeline").Parse(timelineText)
	if err != nil {
		return err
	}
	return t.Execute(w, p)
}
