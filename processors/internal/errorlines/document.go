package errorlines

import "io"

// Document is what is told of a document that could not be indexed. The members are
// those of Firehose's guide, in its order; numbers are numbers, as in captures of other
// lines, and a text that is not known is "".
//
//	domains     attemptsMade arrivalTimestamp errorCode errorMessage attemptEndingTimestamp esDocumentId esIndexName esTypeName rawData
//	Serverless  attemptsMade arrivalTimestamp errorCode errorMessage attemptEndingTimestamp osDocumentId osIndexName rawData
type Document struct {
	Line // Data is that of the document; AttemptsMade may be 0

	ID, Index, Type string // that it was to have
	Serverless      bool
}

// EncodeDocument writes the line of a document, as Encode does of a record. It has no
// generations.
func (e *Encoder) EncodeDocument(w io.Writer, d *Document) error {
	e.buf = e.buf[:0]
	e.number(`{"attemptsMade":`, int64(d.AttemptsMade))
	e.number(`,"arrivalTimestamp":`, millis(d.Arrival))
	e.text(`,"errorCode":"`, d.ErrorCode)
	e.text(`,"errorMessage":"`, d.ErrorMessage)
	e.number(`,"attemptEndingTimestamp":`, millis(d.Ended))
	if d.Serverless {
		e.text(`,"osDocumentId":"`, d.ID)
		e.text(`,"osIndexName":"`, d.Index)
	} else {
		e.text(`,"esDocumentId":"`, d.ID)
		e.text(`,"esIndexName":"`, d.Index)
		e.text(`,"esTypeName":"`, d.Type)
	}
	e.buf = append(e.buf, `,"rawData":"`...)
	if err := e.data(w, d.Data); err != nil {
		return err
	}
	return e.end(w, "", "")
}
