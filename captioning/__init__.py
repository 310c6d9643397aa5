"""NIC (Vinyals et al., "Show and Tell", CVPR 2015) on COCO captions: vocabulary, features, model, beam, metrics."""
