package secret

import "math/bits"

// Images are pictures of a set, each at most once, in an order. The zero Images is refused.
type Images struct {
	Set   string `json:"set"`   // its id, 1 to 64 printing ASCII characters; a set that changes needs another one
	Size  int    `json:"size"`  // pictures in the set, 9 to 1,000
	Count int    `json:"count"` // to choose, 3 to 12
}

const (
	minSet    = 9
	maxSet    = 1000
	minImages = 3
	maxImages = 12
)

// Kind returns [KindImages].
func (Images) Kind() Kind { return KindImages }

// Validate implements [Scheme].
func (g Images) Validate() error {
	switch {
	case !id(g.Set):
		return invalid("images: set: want 1 to %d printing ASCII characters", maxID)
	case g.Size < minSet || g.Size > maxSet:
		return invalid("images: size is %d, want %d to %d", g.Size, minSet, maxSet)
	case g.Count < minImages || g.Count > min(maxImages, g.Size):
		return invalid("images: count is %d, want %d to %d, and no more than size", g.Count, minImages, maxImages)
	}
	return nil
}

// Enroll refuses pictures that follow one another evenly in the set, as the first five do, if the set is shown in its order,
// and schemes with so few choices that any falls early.
func (g Images) Enroll(e Entry) (Scheme, Secret, error) {
	s, err := g.Read(e)
	if err != nil {
		return nil, Secret{}, err
	}
	return enrolled(g, s)
}

// Read implements [Scheme].
func (g Images) Read(e Entry) (Secret, error) {
	if err := g.Validate(); err != nil {
		return Secret{}, err
	}
	if !e.alone(len(e.Images), g.Count, g.Count) {
		return Secret{}, misfit("as many pictures as the scheme says")
	}
	var chosen [maxSet]bool
	var symbols []byte
	for _, one := range e.Images {
		switch {
		case one < 0 || one >= g.Size:
			return Secret{}, misfit("pictures of the set")
		case chosen[one]:
			return Secret{}, misfit("each picture once")
		}
		chosen[one] = true
		symbols = number(symbols, one)
	}
	parameters := number(field(nil, []byte(g.Set)), g.Size)
	return newSecret(KindImages, parameters, symbols, g.estimate(e.Images)), nil
}

// estimate halves the bits, as nobody knows here which pictures of the set people like: a caution of ours. Evenly spaced
// pictures are the first that somebody tries.
func (g Images) estimate(chosen []int) Estimate {
	space := uint64(1)
	for i := range g.Count {
		space = times(space, uint64(g.Size-i))
	}
	even := true
	for i := 2; i < len(chosen); i++ {
		even = even && chosen[i]-chosen[i-1] == chosen[1]-chosen[0]
	}
	guesses := uint64(1) << ((bits.Len64(space) - 1) / 2)
	if even {
		guesses = min(guesses, least)
	}
	return Estimate{guesses, space}
}
