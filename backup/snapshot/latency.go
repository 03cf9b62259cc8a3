package snapshot

import (
	"fmt"
	"math"
	"time"

	"github.com/cloudopsec/opsec"
)

// Latency says how the time of a read grows with the number of files that it may pass: A·files^B. It has no values of its own,
// since they depend on the format, the program that reads and the storage: measure some depths, and fit.
type Latency struct {
	A   float64 `json:"a"`   // seconds, with one file
	B   float64 `json:"b"`   // 0: depth costs nothing; 1: each file costs as much as the first
	Off float64 `json:"off"` // the largest factor between the curve and a measurement, at least 1
}

// Measurement is the time that a read took, on average, through so many files.
type Measurement struct {
	Files int           `json:"files"`
	Read  time.Duration `json:"read"`
}

// FitLatency fits the curve by least squares of the logarithms, so that each measurement counts by its ratio. Look at
// [Latency].Off before you believe it, and not far beyond what was measured. Errors wrap [opsec.ErrInvalid]: fewer than two
// different numbers of files, or numbers or times that are not positive.
func FitLatency(list []Measurement) (Latency, error) {
	var n, sx, sy, sxx, sxy float64
	for i, m := range list {
		if m.Files < 1 || m.Read <= 0 {
			return Latency{}, fmt.Errorf("snapshot: measurements[%d]: %d files in %s: want both above 0: %w", i, m.Files, m.Read, opsec.ErrInvalid)
		}
		x, y := math.Log(float64(m.Files)), math.Log(m.Read.Seconds())
		n, sx, sy, sxx, sxy = n+1, sx+x, sy+y, sxx+x*x, sxy+x*y
	}
	spread := n*sxx - sx*sx
	if different := spread > 1e-9*max(sxx, 1); !different {
		return Latency{}, fmt.Errorf("snapshot: measurements: want two different numbers of files at least: %w", opsec.ErrInvalid)
	}
	l := Latency{Off: 1}
	l.B = (n*sxy - sx*sy) / spread
	l.A = math.Exp((sy - l.B*sx) / n)
	for _, m := range list {
		ratio := l.seconds(m.Files) / m.Read.Seconds()
		l.Off = max(l.Off, ratio, 1/ratio)
	}
	return l, nil
}

// At returns the time of a read that may pass so many files ([Report.Files]), at least one.
func (l Latency) At(files int) time.Duration {
	return time.Duration(min(l.seconds(max(files, 1))*float64(time.Second), math.MaxInt64/2))
}

func (l Latency) seconds(files int) float64 { return l.A * math.Pow(float64(files), l.B) }
