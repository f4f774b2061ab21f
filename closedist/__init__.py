"""closedist: are two trained models really the same?"""
