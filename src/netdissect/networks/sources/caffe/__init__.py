"""Networks from Caffe's files, without Caffe: read (`load_caffe`), run (`CaffeNet`) and written (`write_caffe`)."""
