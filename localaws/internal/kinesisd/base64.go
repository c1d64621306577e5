package kinesisd

// decodedSize checks that text is standard base64 with padding and gives the
// number of bytes it stands for.
func decodedSize(text []byte) (size int, ok bool) {
	if len(text)%4 != 0 {
		return 0, false
	}
	if len(text) == 0 {
		return 0, true
	}
	size = len(text) / 4 * 3
	body := text
	for range 2 {
		if body[len(body)-1] == '=' {
			body = body[:len(body)-1]
			size--
		}
	}
	var bad byte
	for len(body) >= 8 {
		bad |= notBase64[body[0]] | notBase64[body[1]] | notBase64[body[2]] | notBase64[body[3]] |
			notBase64[body[4]] | notBase64[body[5]] | notBase64[body[6]] | notBase64[body[7]]
		body = body[8:]
	}
	for _, c := range body {
		bad |= notBase64[c]
	}
	return size, bad == 0
}

// notBase64 has a 1 for each byte that is not in the alphabet; sixteen bytes a
// line.
const notBase64 = "" +
	"\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01" +
	"\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01" +
	"\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x00\x01\x01\x01\x00" + // + /
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x01\x01\x01\x01\x01" + // 0-9
	"\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" + // A-O
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x01\x01\x01\x01" + // P-Z
	"\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" + // a-o
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x01\x01\x01\x01" + // p-z
	noBase64Above + noBase64Above + noBase64Above + noBase64Above

// noBase64Above is a quarter of the bytes above ASCII.
const noBase64Above = "" +
	"\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01" +
	"\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01"
