package secret

import "math/bits"

// Clicks are points on a picture, in order. At enrolment each point gets a grid of its own, laid so that the point is in the
// middle of a cell; where the grid lies is kept in clear, in which cell the point is remains secret. So an entry is the same
// secret exactly when each click is at most Tolerance pixels off, in x and in y: the grids of Birget, Hong and Memon (IEEE
// Trans. Information Forensics and Security 2006), three for all points, let in what is farther off than what they keep out;
// the centred ones are of Chiasson, Srinivasan, Biddle and van Oorschot (UPSEC 2008). The zero Clicks is refused.
type Clicks struct {
	Picture   string  `json:"picture"`           // its id, 1 to 64 printing ASCII characters; a changed picture needs another one
	Width     int     `json:"width"`             // pixels, up to 16,384
	Height    int     `json:"height"`            // likewise
	Tolerance int     `json:"tolerance"`         // pixels, 1 to 256
	Count     int     `json:"count"`             // clicks, 3 to 10
	Offsets   []Point `json:"offsets,omitempty"` // of the grids, by Enroll; none in a scheme that nobody has enrolled with
}

const (
	maxPixels    = 16_384
	maxTolerance = 256
	minClicks    = 3
	maxClicks    = 10
	minCells     = 100 // of the picture
)

// Kind returns [KindClicks].
func (Clicks) Kind() Kind { return KindClicks }

// Validate implements [Scheme].
func (c Clicks) Validate() error {
	switch {
	case !id(c.Picture):
		return invalid("clicks: picture: want 1 to %d printing ASCII characters", maxID)
	case c.Width < 1 || c.Width > maxPixels || c.Height < 1 || c.Height > maxPixels:
		return invalid("clicks: %d x %d pixels, want 1 to %d", c.Width, c.Height, maxPixels)
	case c.Tolerance < 1 || c.Tolerance > maxTolerance:
		return invalid("clicks: tolerance is %d, want 1 to %d pixels", c.Tolerance, maxTolerance)
	case c.cells() < minCells:
		return invalid("clicks: the picture has %d cells of %d pixels, want at least %d", c.cells(), c.cell(), minCells)
	case c.Count < minClicks || c.Count > maxClicks:
		return invalid("clicks: count is %d, want %d to %d", c.Count, minClicks, maxClicks)
	case len(c.Offsets) != 0 && len(c.Offsets) != c.Count:
		return invalid("clicks: %d offsets, want none or %d", len(c.Offsets), c.Count)
	}
	for i, o := range c.Offsets {
		if o.X < 0 || o.X >= c.cell() || o.Y < 0 || o.Y >= c.cell() {
			return invalid("clicks: offsets[%d]: want 0 to %d", i, c.cell()-1)
		}
	}
	return nil
}

// cell is the side of a cell: the pixel in the middle and the tolerance on both sides.
func (c Clicks) cell() int { return 2*c.Tolerance + 1 }

// cells is how many of them the picture has.
func (c Clicks) cells() uint64 { return uint64(c.Width/c.cell()) * uint64(c.Height/c.cell()) }

// Enroll lays the grids and returns the scheme that has them. Points that lie within the tolerance of one another are
// refused: they would be one.
func (c Clicks) Enroll(e Entry) (Scheme, Secret, error) {
	if err := c.fits(e); err != nil {
		return nil, Secret{}, err
	}
	c.Offsets = nil
	for i, p := range e.Points {
		for _, q := range e.Points[:i] {
			if max(p.X-q.X, q.X-p.X, p.Y-q.Y, q.Y-p.Y) <= c.Tolerance {
				return nil, Secret{}, misfit("points farther from one another than the tolerance")
			}
		}
	}
	for _, p := range e.Points {
		c.Offsets = append(c.Offsets, Point{c.offset(p.X), c.offset(p.Y)})
	}
	s, err := c.Read(e)
	if err != nil {
		return nil, Secret{}, err
	}
	return enrolled(c, s)
}

// offset is where the cells begin that have v in the middle of one.
func (c Clicks) offset(v int) int { return (v + c.cell() - c.Tolerance) % c.cell() }

// Read implements [Scheme]. A scheme without offsets is invalid here.
func (c Clicks) Read(e Entry) (Secret, error) {
	if err := c.fits(e); err != nil {
		return Secret{}, err
	}
	if len(c.Offsets) == 0 {
		return Secret{}, invalid("clicks: nobody has enrolled with this scheme: it has no offsets")
	}
	parameters := field(nil, []byte(c.Picture))
	for _, v := range []int{c.Width, c.Height, c.Tolerance} {
		parameters = number(parameters, v)
	}
	var symbols []byte
	for i, p := range e.Points {
		o := c.Offsets[i]
		parameters = number(number(parameters, o.X), o.Y)
		symbols = number(number(symbols, c.place(p.X, o.X)), c.place(p.Y, o.Y))
	}
	return newSecret(KindClicks, parameters, symbols, c.estimate()), nil
}

// place is the number of the cell that v is in; the first is cut by the edge of the picture, or empty.
func (c Clicks) place(v, offset int) int { return (v - offset + c.cell()) / c.cell() }

func (c Clicks) fits(e Entry) error {
	if err := c.Validate(); err != nil {
		return err
	}
	if !e.alone(len(e.Points), c.Count, c.Count) {
		return misfit("as many points as the scheme says")
	}
	for _, p := range e.Points {
		if p.X < 0 || p.X >= c.Width || p.Y < 0 || p.Y >= c.Height {
			return misfit("points on the picture")
		}
	}
	return nil
}

// estimate takes 31 of each 43 bits: so far the hot spots of a picture led, for a third of the users (van Oorschot, Thorpe
// 2011). Which spots of this picture are hot is not known here.
func (c Clicks) estimate() Estimate {
	space := power(c.cells(), c.Count)
	return Estimate{1 << ((bits.Len64(space) - 1) * 31 / 43), space}
}
